#include "tests/fuzz/ioctl_templates.h"

#include <amdgpu_drm.h>
#include <drm.h>

#include "kfd/uapi_debug.h"

namespace bw::test {
namespace {

using namespace kfd::uapi;
using enum Field;

constexpr FieldAt kCreateQueueFields[] = {
    {0, 8, kRing, false},
    {8, 8, kWritePointer, false},
    {16, 8, kReadPointer, false},
    {32, 4, kRingBytes, false},
    {36, 4, kGpu, false},
    {40, 4, kQueueType, false},
    {44, 4, kPercentage, false},
    {48, 4, kSmall, false},
    {52, 4, kQueue, true},
    {72, 8, kContextSave, false},
    {80, 4, kContextSaveBytes, false},
    {84, 4, kControlStackBytes, false},
    {88, 4, kSmall, false},
};
constexpr FieldAt kQueueIdFields[] = {{0, 4, kQueue, false}};
constexpr FieldAt kUpdateQueueFields[] = {{0, 8, kRing, false},
                                          {8, 4, kQueue, false},
                                          {12, 4, kRingBytes, false},
                                          {16, 4, kPercentage, false},
                                          {20, 4, kSmall, false}};
constexpr FieldAt kMemoryPolicyFields[] = {{16, 4, kGpu, false}, {20, 4, kSmall, false}, {24, 4, kSmall, false}};
constexpr FieldAt kClockFields[] = {{32, 4, kGpu, false}};
constexpr FieldAt kCreateEventFields[] = {
    {0, 8, kHandle, false}, {12, 4, kSmall, false}, {16, 4, kSmall, false}, {24, 4, kEvent, true}};
constexpr FieldAt kEventFields[] = {{0, 4, kEvent, false}};
constexpr FieldAt kWaitFields[] = {
    {0, 8, kEventList, false}, {8, 4, kNodeCount, false}, {12, 4, kSmall, false}, {16, 4, kTimeout, false}};
constexpr FieldAt kVaGpuFields[] = {{0, 8, kVa, false}, {8, 4, kGpu, false}};
constexpr FieldAt kTileFields[] = {{0, 8, kPointer, false},
                                   {8, 8, kPointer, false},
                                   {16, 4, kSmall, false},
                                   {20, 4, kSmall, false},
                                   {24, 4, kGpu, false}};
constexpr FieldAt kTrapFields[] = {{0, 8, kVa, false}, {8, 8, kVa, false}, {16, 4, kGpu, false}};
constexpr FieldAt kAperturesFields[] = {{0, 8, kPointer, false}, {8, 4, kNodeCount, false}};
constexpr FieldAt kAcquireFields[] = {{0, 4, kFd, false}, {4, 4, kGpu, false}};
constexpr FieldAt kAllocFields[] = {{0, 8, kVa, false},    {8, 8, kSize, false},        {16, 8, kHandle, true},
                                    {24, 8, kVa, false},   {24, 8, kArenaOffset, true}, {32, 4, kGpu, false},
                                    {36, 4, kFlags, false}};
constexpr FieldAt kFreeFields[] = {{0, 8, kHandle, false}};
constexpr FieldAt kMapFields[] = {{0, 8, kHandle, false}, {8, 8, kDeviceList, false}, {16, 4, kNodeCount, false}};
constexpr FieldAt kCuMaskFields[] = {{0, 4, kQueue, false}, {4, 4, kSmall, false}, {8, 8, kPointer, false}};
constexpr FieldAt kWaveStateFields[] = {{0, 8, kPointer, false}, {16, 4, kQueue, false}};
constexpr FieldAt kDmabufInfoFields[] = {{8, 8, kPointer, false}, {16, 4, kSmall, false}, {28, 4, kFd, false}};
constexpr FieldAt kImportFields[] = {
    {0, 8, kVa, false}, {8, 8, kHandle, true}, {16, 4, kGpu, false}, {20, 4, kFd, false}};
constexpr FieldAt kGwsFields[] = {{0, 4, kQueue, false}, {4, 4, kSmall, false}};
constexpr FieldAt kSmiFields[] = {{0, 4, kGpu, false}, {4, 4, kFd, true}};
constexpr FieldAt kSvmFields[] = {{0, 8, kVa, false},         {8, 8, kSize, false},   {16, 4, kSmall, false},
                                  {20, 4, kNodeCount, false}, {24, 4, kSmall, false}, {28, 4, kGpu, false},
                                  {32, 4, kSmall, false},     {36, 4, kSmall, false}, {40, 4, kSmall, false},
                                  {44, 4, kGpu, false}};
constexpr FieldAt kXnackFields[] = {{0, 4, kSmall, false}};
constexpr FieldAt kAvailableFields[] = {{8, 4, kGpu, false}};
constexpr FieldAt kExportFields[] = {{0, 8, kHandle, false}, {12, 4, kFd, true}};
constexpr FieldAt kRuntimeFields[] = {{8, 4, kSmall, false}};
// Of the union: an address, then numbers, ids and a descriptor, as most operations have them.
constexpr FieldAt kDebugFields[] = {{0, 4, kOwnPid, false},   {4, 4, kSmall, false},  {8, 8, kPointer, false},
                                    {16, 8, kPointer, false}, {24, 4, kSmall, false}, {28, 4, kFd, false}};
constexpr FieldAt kDebugQueryFields[] = {{0, 4, kOwnPid, false}, {4, 4, kSmall, false}, {8, 8, kPointer, false},
                                         {16, 4, kSmall, false}, {20, 4, kGpu, false},  {24, 4, kSmall, false}};
constexpr FieldAt kIpcExportFields[] = {
    {0, 8, kHandle, false}, {24, 4, kGpu, false}, {8, 8, kShareHandle, true}, {16, 8, kShareTail, true}};
constexpr FieldAt kIpcImportFields[] = {{8, 8, kVa, false},         {24, 8, kShareHandle, false},
                                        {32, 8, kShareTail, false}, {40, 4, kGpu, false},
                                        {0, 8, kHandle, true},      {16, 8, kArenaOffset, true}};
constexpr FieldAt kNoFields[] = {{0, 4, kSmall, false}};

constexpr FieldAt kPrimeOutFields[] = {{0, 4, kGemHandle, false}, {4, 4, kSmall, false}, {8, 4, kFd, true}};
constexpr FieldAt kPrimeInFields[] = {{0, 4, kGemHandle, true}, {8, 4, kFd, false}};
constexpr FieldAt kGemFields[] = {{0, 4, kGemHandle, false}};
constexpr FieldAt kGemCreateFields[] = {
    {0, 8, kSize, false}, {16, 4, kSmall, false}, {24, 4, kSmall, false}, {0, 4, kGemHandle, true}};
constexpr FieldAt kGemMmapFields[] = {{0, 4, kGemHandle, false}, {0, 8, kArenaOffset, true}};
constexpr FieldAt kGemVaFields[] = {{0, 4, kGemHandle, false}, {8, 4, kSmall, false}, {12, 4, kSmall, false},
                                    {16, 8, kVa, false},       {24, 8, kSize, false}, {32, 8, kSize, false}};
constexpr FieldAt kGemOpFields[] = {{0, 4, kGemHandle, false}, {4, 4, kSmall, false}, {8, 8, kPointer, false}};
constexpr FieldAt kMetadataFields[] = {{0, 4, kGemHandle, false}, {4, 4, kSmall, false}, {24, 4, kSmall, false}};
constexpr FieldAt kUserptrFields[] = {
    {0, 8, kVa, false}, {8, 8, kSize, false}, {16, 4, kSmall, false}, {20, 4, kGemHandle, true}};
constexpr FieldAt kContextFields[] = {{0, 4, kSmall, false}, {4, 4, kSmall, false}, {8, 4, kSmall, false}};
constexpr FieldAt kListFields[] = {{0, 4, kSmall, false},
                                   {4, 4, kSmall, false},
                                   {8, 4, kNodeCount, false},
                                   {12, 4, kSmall, false},
                                   {16, 8, kPointer, false}};
constexpr FieldAt kWaitCsFields[] = {{0, 8, kSmall, false},
                                     {16, 4, kSmall, false},
                                     {20, 4, kSmall, false},
                                     {24, 4, kSmall, false},
                                     {28, 4, kSmall, false}};
constexpr FieldAt kInfoFields[] = {{0, 8, kPointer, false}, {8, 4, kSmall, false},  {12, 4, kSmall, false},
                                   {16, 4, kSmall, false},  {20, 4, kSmall, false}, {24, 4, kSmall, false}};
constexpr FieldAt kCapFields[] = {{0, 8, kSmall, false}};
constexpr FieldAt kVersionFields[] = {{16, 8, kSmall, false}, {24, 8, kPointer, false}};

constexpr Template kTemplates[] = {
    {kGetVersion, false, kNoFields},
    {kCreateQueue, false, kCreateQueueFields},
    {kCreateQueue, false, kCreateQueueFields},
    {kDestroyQueue, false, kQueueIdFields},
    {kSetMemoryPolicy, false, kMemoryPolicyFields},
    {kGetClockCounters, false, kClockFields},
    {_IOR('K', 0x06, uint8_t[400]), false, kNoFields},
    {kUpdateQueue, false, kUpdateQueueFields},
    {kCreateEvent, false, kCreateEventFields},
    {kDestroyEvent, false, kEventFields},
    {kSetEvent, false, kEventFields},
    {kResetEvent, false, kEventFields},
    {kWaitEvents, false, kWaitFields},
    {kDbgRegister, false, kClockFields},
    {kDbgUnregister, false, kClockFields},
    {kDbgAddressWatch, false, kWaveStateFields},
    {kDbgWaveControl, false, kWaveStateFields},
    {kSetScratchBackingVa, false, kVaGpuFields},
    {kGetTileConfig, false, kTileFields},
    {kSetTrapHandler, false, kTrapFields},
    {kGetProcessApertures, false, kAperturesFields},
    {kAcquireVm, false, kAcquireFields},
    {kAllocMemory, false, kAllocFields},
    {kAllocMemory, false, kAllocFields},
    {kFreeMemory, false, kFreeFields},
    {kMapMemory, false, kMapFields},
    {kMapMemory, false, kMapFields},
    {kUnmapMemory, false, kMapFields},
    {kSetCuMask, false, kCuMaskFields},
    {kGetQueueWaveState, false, kWaveStateFields},
    {kGetDmabufInfo, false, kDmabufInfoFields},
    {kImportDmabuf, false, kImportFields},
    {kAllocQueueGws, false, kGwsFields},
    {kSmiEvents, false, kSmiFields},
    {kSvm + (3ul * 8 << _IOC_SIZESHIFT), false, kSvmFields},
    {kSvm, false, kSvmFields},
    {kSetXnackMode, false, kXnackFields},
    {kCriuOp, false, kNoFields},
    {kAvailableMemory, false, kAvailableFields},
    {kExportDmabuf, false, kExportFields},
    {kRuntimeEnable, false, kRuntimeFields},
    {kDbgTrap, false, kDebugFields},
    {kIpcExportHandle, false, kIpcExportFields},
    {kIpcImportHandle, false, kIpcImportFields},
    {kDbgTrap, false, kDebugQueryFields},
    {DRM_IOCTL_VERSION, true, kVersionFields},
    {DRM_IOCTL_GET_CAP, true, kCapFields},
    {DRM_IOCTL_GEM_CLOSE, true, kGemFields},
    {DRM_IOCTL_PRIME_HANDLE_TO_FD, true, kPrimeOutFields},
    {DRM_IOCTL_PRIME_FD_TO_HANDLE, true, kPrimeInFields},
    {DRM_IOCTL_AMDGPU_GEM_CREATE, true, kGemCreateFields},
    {DRM_IOCTL_AMDGPU_GEM_MMAP, true, kGemMmapFields},
    {DRM_IOCTL_AMDGPU_CTX, true, kContextFields},
    {DRM_IOCTL_AMDGPU_BO_LIST, true, kListFields},
    {DRM_IOCTL_AMDGPU_INFO, true, kInfoFields},
    {DRM_IOCTL_AMDGPU_GEM_METADATA, true, kMetadataFields},
    {DRM_IOCTL_AMDGPU_GEM_WAIT_IDLE, true, kGemFields},
    {DRM_IOCTL_AMDGPU_GEM_VA, true, kGemVaFields},
    {DRM_IOCTL_AMDGPU_WAIT_CS, true, kWaitCsFields},
    {DRM_IOCTL_AMDGPU_GEM_OP, true, kGemOpFields},
    {DRM_IOCTL_AMDGPU_GEM_USERPTR, true, kUserptrFields},
    {DRM_IOCTL_AMDGPU_VM, true, kContextFields},
    {DRM_IOCTL_AMDGPU_CS, true, kContextFields},
};

}  // namespace

std::span<const Template> ioctl_templates() {
  return kTemplates;
}

}  // namespace bw::test
