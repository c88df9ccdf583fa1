// Of the table of requests: those about the process and the device.
#include "emulator/testing/ioctl_cases.h"

#include <unistd.h>
#include <array>
#include <cerrno>

namespace bw::emulator::testing {

using namespace kfd::uapi;

std::vector<Case> process_cases() {
  using B = Bench;
  const auto policy = [](uint32_t gpu, uint32_t first, uint32_t second) {
    return SetMemoryPolicyArgs{.alternate_aperture_base = 0,
                               .alternate_aperture_size = 0,
                               .gpu_id = gpu,
                               .default_policy = first,
                               .alternate_policy = second,
                               .pad = 0};
  };
  const auto tiles = [](uint32_t gpu, uint64_t first, uint64_t second) {
    GetTileConfigArgs args{};
    args.tile_config_ptr = first;
    args.macro_tile_config_ptr = second;
    args.num_tile_configs = 100;
    args.num_macro_tile_configs = 100;
    args.gpu_id = gpu;
    return args;
  };
  static std::array<uint32_t, 64> room;
  const uint64_t at = B::address(room.data());
  return {
      {"ok", kGetVersion, 0, [](B& b) { return b.call(kGetVersion, GetVersionArgs{}); }},
      {"ok", kSetMemoryPolicy, 0, [=](B& b) { return b.call(kSetMemoryPolicy, policy(b.gpu, 0, 1)); }},
      {"policy", kSetMemoryPolicy, -EINVAL, [=](B& b) { return b.call(kSetMemoryPolicy, policy(b.gpu, 2, 0)); }},
      {"other policy", kSetMemoryPolicy, -EINVAL, [=](B& b) { return b.call(kSetMemoryPolicy, policy(b.gpu, 0, 2)); }},
      {"gpu", kSetMemoryPolicy, -EINVAL, [=](B& b) { return b.call(kSetMemoryPolicy, policy(kNoGpu, 0, 0)); }},
      {"not acquired", kSetMemoryPolicy, -ESRCH,
       [=](B& b) { return b.unbound(kSetMemoryPolicy, policy(b.gpu, 0, 0)); }},
      {"ok", kGetClockCounters, 0, [](B& b) { return b.call(kGetClockCounters, GetClockCountersArgs{}); }},
      {"ok", kSetScratchBackingVa, 0,
       [](B& b) {
         return b.call(kSetScratchBackingVa, SetScratchBackingVaArgs{0x1000, b.gpu, 0});
       }},
      {"gpu", kSetScratchBackingVa, -EINVAL,
       [](B& b) {
         return b.call(kSetScratchBackingVa, SetScratchBackingVaArgs{0x1000, kNoGpu, 0});
       }},
      {"not acquired", kSetScratchBackingVa, -ENODEV,
       [](B& b) {
         return b.unbound(kSetScratchBackingVa, SetScratchBackingVaArgs{0, b.gpu, 0});
       }},
      {"ok", kGetTileConfig, 0, [=](B& b) { return b.call(kGetTileConfig, tiles(b.gpu, at, at)); }},
      {"gpu", kGetTileConfig, -EINVAL, [=](B& b) { return b.call(kGetTileConfig, tiles(kNoGpu, at, at)); }},
      {"tiles", kGetTileConfig, -EFAULT, [=](B& b) { return b.call(kGetTileConfig, tiles(b.gpu, kWild, at)); }},
      {"macro tiles", kGetTileConfig, -EFAULT, [=](B& b) { return b.call(kGetTileConfig, tiles(b.gpu, at, kWild)); }},
      {"ok", kSetTrapHandler, 0,
       [](B& b) {
         return b.call(kSetTrapHandler, SetTrapHandlerArgs{0, 0, b.gpu, 0});
       }},
      {"gpu", kSetTrapHandler, -EINVAL,
       [](B& b) {
         return b.call(kSetTrapHandler, SetTrapHandlerArgs{0, 0, kNoGpu, 0});
       }},
      {"not acquired", kSetTrapHandler, -ESRCH,
       [](B& b) {
         return b.unbound(kSetTrapHandler, SetTrapHandlerArgs{0, 0, b.gpu, 0});
       }},
      {"ok", kGetProcessApertures, 0,
       [](B& b) {
         return b.call(kGetProcessApertures, GetProcessAperturesArgs{0, 0, 0});
       }},
      {"ok", kGetProcessAperturesOld, 0,
       [](B& b) {
         std::array<uint64_t, 50> answer{};
         const int status = b.machine.ioctl(kGetProcessAperturesOld, answer);
         EXPECT_EQ(answer[0], 1ull << 48) << "where LDS begins";
         EXPECT_EQ(answer[49], 1u) << "how many cards";
         return status;
       }},
      {"room", kGetProcessApertures, -EFAULT,
       [](B& b) {
         return b.call(kGetProcessApertures, GetProcessAperturesArgs{kWild, 1, 0});
       }},
      {"ok", kAcquireVm, 0,
       [](B& b) {
         return b.call(kAcquireVm, AcquireVmArgs{static_cast<uint32_t>(b.machine.render()), b.gpu});
       }},
      {"fd", kAcquireVm, -EINVAL,
       [](B& b) {
         return b.call(kAcquireVm, AcquireVmArgs{99999, b.gpu});
       }},
      {"gpu", kAcquireVm, -EINVAL,
       [](B& b) {
         return b.call(kAcquireVm, AcquireVmArgs{static_cast<uint32_t>(b.machine.render()), kNoGpu});
       }},
      {"other opening", kAcquireVm, -EBUSY,
       [](B& b) {
         const int other = b.machine.driver().open("/dev/dri/renderD128", O_RDWR);
         return b.call(kAcquireVm, AcquireVmArgs{static_cast<uint32_t>(other), b.gpu});
       }},
      {"query", kSetXnackMode, 0, [](B& b) { return b.call(kSetXnackMode, SetXnackModeArgs{-1}); }},
      {"on", kSetXnackMode, -EPERM, [](B& b) { return b.call(kSetXnackMode, SetXnackModeArgs{1}); }},
      {"queues", kSetXnackMode, -EBUSY,
       [](B& b) {
         b.machine.sdma_queue();
         return b.call(kSetXnackMode, SetXnackModeArgs{0});
       }},
      {"ok", kRuntimeEnable, 0,
       [](B& b) {
         return b.call(kRuntimeEnable, RuntimeEnableArgs{0, 1, 0});
       }},
      {"twice", kRuntimeEnable, -EBUSY,
       [](B& b) {
         b.call(kRuntimeEnable, RuntimeEnableArgs{0, 1, 0});
         return b.call(kRuntimeEnable, RuntimeEnableArgs{0, 1, 0});
       }},
      {"queues", kRuntimeEnable, -EEXIST,
       [](B& b) {
         b.machine.sdma_queue();
         return b.call(kRuntimeEnable, RuntimeEnableArgs{0, 1, 0});
       }},
      {"ok", kSmiEvents, 0,
       [](B& b) {
         SmiEventsArgs args{b.gpu, 0};
         const int status = b.machine.ioctl(kSmiEvents, args);
         ::close(static_cast<int>(args.anon_fd));
         return status;
       }},
      {"gpu", kSmiEvents, -EINVAL,
       [](B& b) {
         return b.call(kSmiEvents, SmiEventsArgs{kNoGpu, 0});
       }},
      {"always", kDbgRegister, -EPERM, [](B& b) { return b.call(kDbgRegister, DbgRegisterArgs{}); }},
      {"always", kDbgUnregister, -EPERM, [](B& b) { return b.call(kDbgUnregister, DbgRegisterArgs{}); }},
      {"always", kDbgAddressWatch, -EPERM, [](B& b) { return b.call(kDbgAddressWatch, DbgAddressWatchArgs{}); }},
      {"always", kDbgWaveControl, -EPERM, [](B& b) { return b.call(kDbgWaveControl, DbgAddressWatchArgs{}); }},
      {"rights", kCriuOp, -EACCES, [](B& b) { return b.call(kCriuOp, CriuArgs{}); }},
      {"other process", kDbgTrap, -ESRCH, [](B& b) { return b.call(kDbgTrap, DbgTrapArgs{}); }},
  };
}

}  // namespace bw::emulator::testing
