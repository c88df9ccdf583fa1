// Owns: the attributes of shared virtual memory, which the request SVM (kfd/uapi.h) sets and tells. Source: Linux,
// include/uapi/linux/kfd_ioctl.h.
#pragma once

#include <cstdint>

namespace bw::kfd::uapi {

enum class SvmOp : uint32_t { kSetAttr = 0, kGetAttr = 1 };

// Locations are gpu_ids, or one of these.
inline constexpr uint32_t kSvmLocationSysmem = 0;
inline constexpr uint32_t kSvmLocationUndefined = 0xffffffff;

enum class SvmAttr : uint32_t {
  kPreferredLoc = 0,
  kPrefetchLoc = 1,
  kAccess = 2,  // value: gpu_id, as for the next two; a query asks with kAccess and gets one of the three
  kAccessInPlace = 3,
  kNoAccess = 4,
  kSetFlags = 5,  // value: svm_flag
  kClearFlags = 6,
  kGranularity = 7,  // log2 of pages
};

namespace svm_flag {
inline constexpr uint32_t kHostAccess = 1u << 0;
inline constexpr uint32_t kCoherent = 1u << 1;
inline constexpr uint32_t kHiveLocal = 1u << 2;
inline constexpr uint32_t kGpuReadOnly = 1u << 3;
inline constexpr uint32_t kGpuExec = 1u << 4;
inline constexpr uint32_t kGpuReadMostly = 1u << 5;
inline constexpr uint32_t kGpuAlwaysMapped = 1u << 6;  // since 1.11
inline constexpr uint32_t kExtCoherent = 1u << 7;
}  // namespace svm_flag

}  // namespace bw::kfd::uapi
