// KFD's request about shared virtual memory.
#include <cerrno>
#include <vector>

#include "base/bits.h"
#include "emulator/kernel/handlers.h"

namespace bw::emulator::ioctls {
namespace {

using namespace kfd::uapi;

constexpr uint64_t kPageBytes = 4096;

int set_attributes(Process& process, uint64_t begin, uint64_t end, std::span<const SvmAttribute> attributes) {
  std::vector<SvmMigration> migrations;
  const int status = process.svm().set(begin, end, attributes, &migrations);
  for (const SvmMigration& migration : migrations) {
    const uint32_t gpu_id = migration.to != kSvmLocationSysmem ? migration.to : migration.from;
    if (const ProcessDevice* device = process.find_device(gpu_id)) process.smi().migrated(device->card, migration);
  }
  return status;
}

}  // namespace

// Linux kfd_ioctl_svm() and svm_ioctl(). It trusts nattr to fit what was copied; here more than that is -EINVAL.
int svm(Process& process, std::span<std::byte> argument) {
  auto& args = *reinterpret_cast<SvmArgs*>(argument.data());
  const size_t room = (argument.size() - sizeof(SvmArgs)) / sizeof(SvmAttribute);
  if (!is_aligned(args.start_addr, kPageBytes) || !is_aligned(args.size, kPageBytes)) return -EINVAL;
  if (args.start_addr == 0 || args.size == 0 || args.nattr > room) return -EINVAL;
  if (args.start_addr + args.size < args.start_addr) return -EINVAL;
  const std::span<SvmAttribute> attributes(reinterpret_cast<SvmAttribute*>(&args + 1), args.nattr);
  const uint64_t end = args.start_addr + args.size;
  std::lock_guard lock(process.mutex());
  switch (static_cast<SvmOp>(args.op)) {
    case SvmOp::kSetAttr:
      return set_attributes(process, args.start_addr, end, attributes);
    case SvmOp::kGetAttr:
      return process.svm().get(args.start_addr, end, attributes);
  }
  return -EINVAL;
}

}  // namespace bw::emulator::ioctls
