// Of the table of requests: those about queues and events.
#include "emulator/testing/ioctl_cases.h"

#include <array>
#include <cerrno>

namespace bw::emulator::testing {

using namespace kfd::uapi;

std::vector<Case> queue_cases() {
  using B = Bench;
  static const uint32_t kMask[4] = {3, 0, 0xffffffff, 0xc};
  static const uint32_t kOddMask[1] = {1};
  static std::array<uint32_t, 64> room;
  const auto mask = [](uint32_t queue, uint32_t bits, const void* words) {
    return SetCuMaskArgs{queue, bits, B::address(words)};
  };
  const auto update = [](const TestQueue& queue) { return UpdateQueueArgs{queue.ring.va, queue.id, 4096, 100, 7}; };
  const auto stopped = [=](B& b) {
    const TestQueue queue = b.machine.compute_queue();
    UpdateQueueArgs args = update(queue);
    args.queue_percentage = 0;
    EXPECT_EQ(b.machine.ioctl(kUpdateQueue, args), 0);
    return queue.id;
  };
  return {
      {"compute", kCreateQueue, 0, [](B& b) { return b.call(kCreateQueue, b.queue_args(0)); }},
      {"sdma", kCreateQueue, 0, [](B& b) { return b.call(kCreateQueue, b.queue_args(1)); }},
      {"ring", kCreateQueue, -EFAULT,
       [](B& b) {
         CreateQueueArgs args = b.queue_args();
         args.ring_base_address = ~0ull;
         return b.call(kCreateQueue, args);
       }},
      {"xgmi", kCreateQueue, -ENOMEM,
       [](B& b) {
         CreateQueueArgs args = b.queue_args();
         args.queue_type = 3;
         return b.call(kCreateQueue, args);
       }},
      {"type", kCreateQueue, kNotSupported,
       [](B& b) {
         CreateQueueArgs args = b.queue_args();
         args.queue_type = 5;
         return b.call(kCreateQueue, args);
       }},
      {"gpu", kCreateQueue, -EINVAL,
       [](B& b) {
         CreateQueueArgs args = b.queue_args();
         args.gpu_id = kNoGpu;
         return b.call(kCreateQueue, args);
       }},
      {"not acquired", kCreateQueue, -ESRCH, [](B& b) { return b.unbound(kCreateQueue, b.queue_args()); }},
      {"ok", kDestroyQueue, 0,
       [](B& b) {
         return b.call(kDestroyQueue, DestroyQueueArgs{b.machine.sdma_queue().id, 0});
       }},
      {"id", kDestroyQueue, -EINVAL,
       [](B& b) {
         return b.call(kDestroyQueue, DestroyQueueArgs{77, 0});
       }},
      {"ok", kUpdateQueue, 0, [=](B& b) { return b.call(kUpdateQueue, update(b.machine.sdma_queue())); }},
      {"id", kUpdateQueue, -EFAULT,
       [](B& b) {
         return b.call(kUpdateQueue, UpdateQueueArgs{0, 77, 0, 0, 0});
       }},
      {"percentage", kUpdateQueue, -EINVAL,
       [](B& b) {
         return b.call(kUpdateQueue, UpdateQueueArgs{0, 0, 0, 101, 0});
       }},
      {"priority", kUpdateQueue, -EINVAL,
       [](B& b) {
         return b.call(kUpdateQueue, UpdateQueueArgs{0, 0, 0, 0, 16});
       }},
      {"ok", kSetCuMask, 0, [=](B& b) { return b.call(kSetCuMask, mask(b.machine.compute_queue().id, 128, kMask)); }},
      {"none", kSetCuMask, -EINVAL, [=](B& b) { return b.call(kSetCuMask, mask(0, 0, kMask)); }},
      {"not words", kSetCuMask, -EINVAL, [=](B& b) { return b.call(kSetCuMask, mask(0, 33, kMask)); }},
      {"half a pair", kSetCuMask, -EINVAL,
       [=](B& b) { return b.call(kSetCuMask, mask(b.machine.compute_queue().id, 32, kOddMask)); }},
      {"words", kSetCuMask, -EFAULT,
       [=](B& b) { return b.call(kSetCuMask, mask(0, 32, reinterpret_cast<const void*>(kWild))); }},
      {"id", kSetCuMask, -EFAULT, [=](B& b) { return b.call(kSetCuMask, mask(77, 32, kMask)); }},
      {"stopped", kGetQueueWaveState, 0,
       [=](B& b) {
         return b.call(kGetQueueWaveState, GetQueueWaveStateArgs{B::address(room.data()), 0, 0, stopped(b), 0});
       }},
      {"running", kGetQueueWaveState, -EINVAL,
       [](B& b) {
         const uint32_t id = b.machine.compute_queue().id;
         return b.call(kGetQueueWaveState, GetQueueWaveStateArgs{B::address(room.data()), 0, 0, id, 0});
       }},
      {"id", kGetQueueWaveState, -EFAULT,
       [](B& b) {
         return b.call(kGetQueueWaveState, GetQueueWaveStateArgs{B::address(room.data()), 0, 0, 77, 0});
       }},
      {"header", kGetQueueWaveState, -EFAULT,
       [=](B& b) {
         return b.call(kGetQueueWaveState, GetQueueWaveStateArgs{kWild, 0, 0, stopped(b), 0});
       }},
      {"ok", kAllocQueueGws, 0,
       [](B& b) {
         return b.call(kAllocQueueGws, AllocQueueGwsArgs{b.machine.compute_queue().id, 1, 0, 0});
       }},
      {"second", kAllocQueueGws, -EBUSY,
       [](B& b) {
         b.call(kAllocQueueGws, AllocQueueGwsArgs{b.machine.compute_queue().id, 1, 0, 0});
         return b.call(kAllocQueueGws, AllocQueueGwsArgs{b.machine.compute_queue().id, 1, 0, 0});
       }},
      {"after the first is gone", kAllocQueueGws, 0,
       [](B& b) {
         const TestQueue first = b.machine.compute_queue();
         b.call(kAllocQueueGws, AllocQueueGwsArgs{first.id, 1, 0, 0});
         EXPECT_EQ(b.machine.destroy(first), 0);
         return b.call(kAllocQueueGws, AllocQueueGwsArgs{b.machine.compute_queue().id, 1, 0, 0});
       }},
      {"nothing to give back", kAllocQueueGws, -EINVAL,
       [](B& b) {
         return b.call(kAllocQueueGws, AllocQueueGwsArgs{b.machine.compute_queue().id, 0, 0, 0});
       }},
      {"id", kAllocQueueGws, -EINVAL,
       [](B& b) {
         return b.call(kAllocQueueGws, AllocQueueGwsArgs{77, 1, 0, 0});
       }},
  };
}

std::vector<Case> event_cases() {
  using B = Bench;
  const auto event = [](uint32_t type) {
    CreateEventArgs args{};
    args.event_type = type;
    return args;
  };
  return {
      {"ok", kCreateEvent, 0, [=](B& b) { return b.call(kCreateEvent, event(0)); }},
      {"other kinds", kCreateEvent, 0, [=](B& b) { return b.call(kCreateEvent, event(1)); }},
      {"page", kCreateEvent, -EINVAL,
       [=](B& b) {
         CreateEventArgs args = event(0);
         args.event_page_offset = 999;
         return b.call(kCreateEvent, args);
       }},
      {"page not acquired", kCreateEvent, -ENODEV,
       [=](B& b) {
         CreateEventArgs args = event(0);
         args.event_page_offset = uint64_t{b.gpu} << 32 | 1;
         return b.unbound(kCreateEvent, args);
       }},
      {"full", kCreateEvent, -ENOSPC,
       [=](B& b) {
         int status = 0;
         for (int i = 0; i < 4096 && status == 0; ++i) status = b.call(kCreateEvent, event(0));
         return status;
       }},
      {"ok", kDestroyEvent, 0,
       [](B& b) {
         return b.call(kDestroyEvent, DestroyEventArgs{b.machine.create_event(0), 0});
       }},
      {"id", kDestroyEvent, -EINVAL,
       [](B& b) {
         return b.call(kDestroyEvent, DestroyEventArgs{0, 0});
       }},
      {"ok", kSetEvent, 0,
       [](B& b) {
         return b.call(kSetEvent, SetEventArgs{b.machine.create_event(0), 0});
       }},
      {"id", kSetEvent, -EINVAL,
       [](B& b) {
         return b.call(kSetEvent, SetEventArgs{0, 0});
       }},
      {"not the host's", kSetEvent, -EINVAL,
       [](B& b) {
         return b.call(kSetEvent, SetEventArgs{b.machine.create_event(8), 0});
       }},
      {"ok", kResetEvent, 0,
       [](B& b) {
         return b.call(kResetEvent, ResetEventArgs{b.machine.create_event(0), 0});
       }},
      {"id", kResetEvent, -EINVAL,
       [](B& b) {
         return b.call(kResetEvent, ResetEventArgs{0x40000000, 0});
       }},
      {"nothing", kWaitEvents, 0,
       [](B& b) {
         return b.call(kWaitEvents, WaitEventsArgs{0, 0, 0, 0, 0});
       }},
      {"id", kWaitEvents, -EINVAL,
       [](B& b) {
         const EventData data{};
         return b.call(kWaitEvents, WaitEventsArgs{B::address(&data), 1, 0, 0, 0});
       }},
      {"too many", kWaitEvents, -ENOMEM,
       [](B& b) {
         return b.call(kWaitEvents, WaitEventsArgs{0, 0xffffffff, 0, 0, 0});
       }},
      {"list", kWaitEvents, -EFAULT,
       [](B& b) {
         return b.call(kWaitEvents, WaitEventsArgs{kWild, 1, 0, 0, 0});
       }},
  };
}

}  // namespace bw::emulator::testing
