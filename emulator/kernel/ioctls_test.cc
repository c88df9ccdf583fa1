// KFD's requests with good and bad arguments, errno by errno.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "emulator/testing/machine.h"

namespace bw::emulator {
namespace {

using namespace kfd::uapi;
using testing::Machine;
using testing::TestBuffer;
using testing::TestQueue;

class Ioctls : public ::testing::Test {
 protected:
  int raw(unsigned long request, void* argument) { return machine_.driver().ioctl(machine_.kfd(), request, argument); }
  AllocMemoryArgs alloc_args(uint64_t size, uint32_t flags) {
    AllocMemoryArgs args{};
    args.va_addr = 0x7000'0000'0000;
    args.size = size;
    args.gpu_id = machine_.gpu_id();
    args.flags = flags;
    return args;
  }

  Machine machine_;
};

TEST_F(Ioctls, UnknownRequestsAreNotForThisDevice) {
  uint64_t space[64] = {};
  EXPECT_EQ(raw(_IO('K', 0x00), space), -ENOTTY);
  EXPECT_EQ(raw(_IO('K', 0x7f), space), -ENOTTY);
}

TEST_F(Ioctls, EveryRequestRefusesWildPointers) {
  for (unsigned nr = 1; nr < 0x26; ++nr) {
    for (void* pointer :
         {static_cast<void*>(nullptr), reinterpret_cast<void*>(8), reinterpret_cast<void*>(~0ull - 7)}) {
      const int result = raw(_IOC(_IOC_READ | _IOC_WRITE, 'K', nr, 96), pointer);
      EXPECT_TRUE(result == -EFAULT || result == -ENOTTY || (nr == 0x11 && result < 0)) << nr << " gave " << result;
    }
  }
}

TEST_F(Ioctls, EveryRequestSurvivesGarbage) {
  uint32_t state = 99;
  for (int round = 0; round < 300; ++round) {
    for (unsigned nr = 1; nr < 0x26; ++nr) {
      if (nr == 0x0c) continue;  // would wait as long as the garbage says
      uint32_t words[24];
      for (uint32_t& word : words) {
        state = state * 1664525 + 1013904223;
        word = state >> 28 == 0 ? machine_.gpu_id() : state >> 30 == 0 ? state % 17 : state;
      }
      raw(_IOC(_IOC_READ | _IOC_WRITE, 'K', nr, 96), words);
    }
  }
}

TEST_F(Ioctls, SizesMayBeOlderOrNewerThanTheDrivers) {
  uint32_t version[4] = {7, 7, 7, 7};
  EXPECT_EQ(raw(_IOR('K', 0x01, uint32_t), version), 0);
  EXPECT_EQ(version[0], 1u);
  EXPECT_EQ(version[1], 7u) << "beyond what the caller has";
  EXPECT_EQ(raw(_IOR('K', 0x01, uint64_t[2]), version), 0);
  EXPECT_EQ(version[1], 14u);
  EXPECT_EQ(version[2], 0u) << "what the driver does not know is zero";
  // CREATE_QUEUE of 88 bytes, before sdma_engine_id.
  TestQueue queue;
  CreateQueueArgs args = machine_.queue_args(&queue, 1, 4096);
  EXPECT_EQ(raw(_IOC(_IOC_READ | _IOC_WRITE, 'K', 0x02, 88), &args), 0);
}

TEST_F(Ioctls, MinorVersionDecidesWhatIsKnown) {
  EmulatedOptions options;
  options.kfd_minor_version = 12;
  Machine old(options);
  RuntimeEnableArgs args{.r_debug = 0, .mode_mask = 0, .capabilities_mask = 0};
  EXPECT_EQ(old.ioctl(kRuntimeEnable, args), -ENOTTY);
  EXPECT_EQ(machine_.ioctl(kRuntimeEnable, args), 0);
}

TEST_F(Ioctls, ClocksRiseAndKnowTheirRates) {
  GetClockCountersArgs first{};
  first.gpu_id = machine_.gpu_id();
  GetClockCountersArgs second = first;
  EXPECT_EQ(machine_.ioctl(kGetClockCounters, first), 0);
  ::usleep(1000);
  EXPECT_EQ(machine_.ioctl(kGetClockCounters, second), 0);
  EXPECT_GT(second.gpu_clock_counter, first.gpu_clock_counter);
  EXPECT_GT(second.system_clock_counter, first.system_clock_counter);
  EXPECT_EQ(second.system_clock_freq, 1'000'000'000u);
}

TEST_F(Ioctls, AperturesAreTold) {
  GetProcessAperturesArgs args{};
  EXPECT_EQ(machine_.ioctl(kGetProcessApertures, args), 0);
  EXPECT_EQ(args.num_of_nodes, 1u);
  DeviceApertures apertures[3] = {};
  args.kfd_process_device_apertures_ptr = reinterpret_cast<uint64_t>(apertures);
  args.num_of_nodes = 3;
  EXPECT_EQ(machine_.ioctl(kGetProcessApertures, args), 0);
  EXPECT_EQ(args.num_of_nodes, 1u);
  EXPECT_EQ(apertures[0].gpu_id, machine_.gpu_id());
  EXPECT_EQ(apertures[0].lds_base, 1ull << 48);
  EXPECT_EQ(apertures[0].scratch_base, 2ull << 48);
  EXPECT_GE(apertures[0].gpuvm_limit, (1ull << 47) - 1);
  args.kfd_process_device_apertures_ptr = 8;
  args.num_of_nodes = 1;
  EXPECT_EQ(machine_.ioctl(kGetProcessApertures, args), -EFAULT);
}

TEST_F(Ioctls, TheAddressSpaceIsBoundOnceToOneOpening) {
  const auto render = static_cast<uint32_t>(machine_.render());
  AcquireVmArgs args{.drm_fd = render, .gpu_id = machine_.gpu_id()};
  EXPECT_EQ(machine_.ioctl(kAcquireVm, args), 0) << "again, the same";
  args.drm_fd = static_cast<uint32_t>(machine_.driver().open("/dev/dri/renderD128", O_RDWR));
  EXPECT_EQ(machine_.ioctl(kAcquireVm, args), -EBUSY);
  args.drm_fd = static_cast<uint32_t>(machine_.kfd());
  EXPECT_EQ(machine_.ioctl(kAcquireVm, args), -EINVAL);
  args.drm_fd = 0xffffffff;
  EXPECT_EQ(machine_.ioctl(kAcquireVm, args), -EINVAL);
  args = {.drm_fd = render, .gpu_id = 1};
  EXPECT_EQ(machine_.ioctl(kAcquireVm, args), -EINVAL);
}

TEST(IoctlsWithoutVm, MemoryAndQueuesNeedTheAddressSpace) {
  auto driver = EmulatedDriver::create();
  ASSERT_TRUE(driver.is_ok());
  EmulatedDriver& machine = *driver.value();
  const int kfd = machine.open("/dev/kfd", O_RDWR);
  std::string id;
  ASSERT_EQ(machine.read_file("/sys/class/kfd/kfd/topology/nodes/1/gpu_id", &id), 0);
  const auto gpu_id = static_cast<uint32_t>(std::stoul(id));
  AllocMemoryArgs alloc{};
  alloc.size = 4096;
  alloc.gpu_id = gpu_id;
  alloc.flags = alloc_flag::kVram;
  EXPECT_EQ(machine.ioctl(kfd, kAllocMemory, &alloc), -ENODEV);
  CreateQueueArgs queue{};
  queue.gpu_id = gpu_id;
  EXPECT_EQ(machine.ioctl(kfd, kCreateQueue, &queue), -ESRCH);
  SetMemoryPolicyArgs policy{};
  policy.gpu_id = gpu_id;
  EXPECT_EQ(machine.ioctl(kfd, kSetMemoryPolicy, &policy), -ESRCH);
}

TEST_F(Ioctls, AllocationRefusesWhatTheCardCannotGive) {
  const auto attempt = [&](uint64_t size, uint32_t flags) {
    AllocMemoryArgs args = alloc_args(size, flags);
    return machine_.ioctl(kAllocMemory, args);
  };
  EXPECT_EQ(attempt(0, alloc_flag::kVram), -EINVAL);
  EXPECT_EQ(attempt(4096, 0), -EINVAL) << "no kind of memory";
  EXPECT_EQ(attempt(4096, alloc_flag::kVram | alloc_flag::kGtt), -EINVAL);
  EXPECT_EQ(attempt(4096, alloc_flag::kDoorbell), -EINVAL) << "not the size of the area";
  EXPECT_EQ(attempt(8192, alloc_flag::kMmioRemap), -EINVAL);
  EXPECT_EQ(attempt(25ull << 30, alloc_flag::kVram), -ENOMEM);
  EXPECT_EQ(attempt(~0ull, alloc_flag::kVram), -EINVAL);
  AllocMemoryArgs foreign = alloc_args(4096, alloc_flag::kVram);
  foreign.gpu_id = 1;
  EXPECT_EQ(machine_.ioctl(kAllocMemory, foreign), -EINVAL);
}

TEST_F(Ioctls, AllocationLeavesTheHostSomeMemory) {
  const uint64_t host_bytes = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * 4096;
  AllocMemoryArgs user = alloc_args(host_bytes, alloc_flag::kUserptr | alloc_flag::kWritable);
  user.mmap_offset = 0x7000'0000'0000;
  EXPECT_EQ(machine_.ioctl(kAllocMemory, user), -ENOMEM) << "before it looks whether there is any memory";
  const uint64_t third = host_bytes / 3 / 4096 * 4096;
  AllocMemoryArgs first = alloc_args(third, alloc_flag::kGtt);
  ASSERT_EQ(machine_.ioctl(kAllocMemory, first), 0);
  AllocMemoryArgs second = alloc_args(third, alloc_flag::kGtt);
  EXPECT_EQ(machine_.ioctl(kAllocMemory, second), -ENOMEM) << "GTT may have half of it";
  FreeMemoryArgs free{.handle = first.handle};
  EXPECT_EQ(machine_.ioctl(kFreeMemory, free), 0);
  EXPECT_EQ(machine_.ioctl(kAllocMemory, second), 0);
}

TEST_F(Ioctls, UserMemoryMustBeThere) {
  AllocMemoryArgs args = alloc_args(8192, alloc_flag::kUserptr | alloc_flag::kWritable);
  EXPECT_EQ(machine_.ioctl(kAllocMemory, args), -EINVAL) << "no address";
  args.mmap_offset = 0x10000;
  EXPECT_EQ(machine_.ioctl(kAllocMemory, args), -EFAULT);
  void* memory = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  args.mmap_offset = reinterpret_cast<uint64_t>(memory) + 4;
  EXPECT_EQ(machine_.ioctl(kAllocMemory, args), -EINVAL) << "not whole pages";
  args.mmap_offset = reinterpret_cast<uint64_t>(memory);
  EXPECT_EQ(machine_.ioctl(kAllocMemory, args), 0);
  ::mprotect(static_cast<std::byte*>(memory) + 4096, 4096, PROT_READ);
  EXPECT_EQ(machine_.ioctl(kAllocMemory, args), -EFAULT) << "the card shall write where the host may not";
  ::mprotect(static_cast<std::byte*>(memory) + 4096, 4096, PROT_NONE);
  args.flags = alloc_flag::kUserptr;
  EXPECT_EQ(machine_.ioctl(kAllocMemory, args), -EFAULT);
  ::munmap(memory, 8192);
}

// Found by the fuzzer, which ran out of memory: pages of such a mapping appear as they are read.
TEST_F(Ioctls, UserMemoryIsNoMoreThanTheHostHas) {
  constexpr uint64_t kSize = 1ull << 42;
  void* memory = ::mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) GTEST_SKIP() << "ThreadSanitizer leaves no room for so large a mapping";
  AllocMemoryArgs args = alloc_args(kSize, alloc_flag::kUserptr);
  args.mmap_offset = reinterpret_cast<uint64_t>(memory);
  EXPECT_EQ(machine_.ioctl(kAllocMemory, args), -ENOMEM);
  ::munmap(memory, kSize);
}

TEST_F(Ioctls, VramRunsOutAndComesBack) {
  AllocMemoryArgs first = alloc_args(20ull << 30, alloc_flag::kVram);
  ASSERT_EQ(machine_.ioctl(kAllocMemory, first), 0);
  AllocMemoryArgs second = alloc_args(20ull << 30, alloc_flag::kVram);
  EXPECT_EQ(machine_.ioctl(kAllocMemory, second), -ENOMEM);
  FreeMemoryArgs free{.handle = first.handle};
  EXPECT_EQ(machine_.ioctl(kFreeMemory, free), 0);
  EXPECT_EQ(machine_.ioctl(kFreeMemory, free), -EINVAL) << "twice";
  EXPECT_EQ(machine_.ioctl(kAllocMemory, second), 0);
}

TEST_F(Ioctls, MappingChecksHandlesDevicesAndAddresses) {
  const TestBuffer buffer = machine_.vram();
  uint32_t ids[2] = {machine_.gpu_id(), 1};
  MapMemoryArgs map{
      .handle = buffer.handle, .device_ids_array_ptr = reinterpret_cast<uint64_t>(ids), .n_devices = 0, .n_success = 0};
  EXPECT_EQ(machine_.ioctl(kMapMemory, map), -EINVAL);
  map.n_devices = 1;
  map.n_success = 2;
  EXPECT_EQ(machine_.ioctl(kMapMemory, map), -EINVAL);
  map.n_success = 0;
  map.device_ids_array_ptr = 8;
  EXPECT_EQ(machine_.ioctl(kMapMemory, map), -EFAULT);
  map.n_devices = 0xffffffff;
  EXPECT_EQ(machine_.ioctl(kMapMemory, map), -ENOMEM);
  map.n_devices = 2;
  map.device_ids_array_ptr = reinterpret_cast<uint64_t>(ids);
  EXPECT_EQ(machine_.ioctl(kMapMemory, map), -EINVAL);
  EXPECT_EQ(map.n_success, 1u) << "the first device is done";
  map = {.handle = 12345, .device_ids_array_ptr = reinterpret_cast<uint64_t>(ids), .n_devices = 1, .n_success = 0};
  EXPECT_EQ(machine_.ioctl(kMapMemory, map), -EINVAL) << "of no device";
  map.handle = buffer.handle + 1000;
  EXPECT_EQ(machine_.ioctl(kMapMemory, map), -ENOMEM) << "as Linux says";
  EXPECT_EQ(machine_.free(buffer), -EBUSY) << "still mapped";
  EXPECT_EQ(machine_.unmap(buffer), 0);
  EXPECT_EQ(machine_.unmap(buffer), 0) << "twice is no error";
  EXPECT_EQ(machine_.free(buffer), 0);
}

TEST_F(Ioctls, AddressesThatOverlapOrAreOutOfRangeAreRefused) {
  const uint32_t id = machine_.gpu_id();
  const auto map_at = [&](uint64_t va) {
    AllocMemoryArgs args = alloc_args(8192, alloc_flag::kVram);
    args.va_addr = va;
    EXPECT_EQ(machine_.ioctl(kAllocMemory, args), 0);
    MapMemoryArgs map{
        .handle = args.handle, .device_ids_array_ptr = reinterpret_cast<uint64_t>(&id), .n_devices = 1, .n_success = 0};
    return machine_.ioctl(kMapMemory, map);
  };
  EXPECT_EQ(map_at(0x10000), 0);
  EXPECT_EQ(map_at(0x11000), -EINVAL);
  EXPECT_EQ(map_at(0x20010), -EINVAL);
  EXPECT_EQ(map_at(1ull << 47), -EINVAL);
  EXPECT_EQ(map_at((1ull << 47) - 4096), -EINVAL);
  EXPECT_EQ(map_at(0), -EINVAL);
}

TEST_F(Ioctls, EventPageIsSetOnceAndNotFreed) {
  CreateEventArgs args{};
  args.event_page_offset = 0x123456;
  EXPECT_EQ(machine_.ioctl(kCreateEvent, args), -EINVAL);
  const TestBuffer page = machine_.gtt(0x8000);
  args.event_page_offset = page.handle;
  args.auto_reset = 1;
  EXPECT_EQ(machine_.ioctl(kCreateEvent, args), 0);
  EXPECT_NE(args.event_page_offset, 0u) << "zero would mean no mailbox";
  EXPECT_EQ(args.event_slot_index, args.event_id);
  EXPECT_EQ(args.event_trigger_data, args.event_id);
  EXPECT_EQ(page.qword(args.event_id), ~0ull);
  args.event_page_offset = page.handle;
  EXPECT_EQ(machine_.ioctl(kCreateEvent, args), -EINVAL);
  EXPECT_EQ(machine_.unmap(page), 0);
  EXPECT_EQ(machine_.free(page), -EPERM);
}

TEST_F(Ioctls, WaitingChecksItsArguments) {
  WaitEventsArgs args{};
  args.num_events = 1;
  args.events_ptr = 8;
  EXPECT_EQ(machine_.ioctl(kWaitEvents, args), -EFAULT);
  EXPECT_EQ(args.wait_result, 2u);
  EventData data{};
  data.event_id = 999;
  args.events_ptr = reinterpret_cast<uint64_t>(&data);
  EXPECT_EQ(machine_.ioctl(kWaitEvents, args), -EINVAL);
  args.num_events = 0xffffffff;
  EXPECT_EQ(machine_.ioctl(kWaitEvents, args), -ENOMEM);
  SetEventArgs set{.event_id = 999, .pad = 0};
  EXPECT_EQ(machine_.ioctl(kSetEvent, set), -EINVAL);
}

TEST_F(Ioctls, EventsWaitAndTimeOut) {
  const uint32_t event = machine_.create_event(0);
  EXPECT_EQ(machine_.wait_event(event, 5), 1u);
  SetEventArgs set{.event_id = event, .pad = 0};
  EXPECT_EQ(machine_.ioctl(kSetEvent, set), 0);
  EXPECT_EQ(machine_.wait_event(event, kWaitForever), 0u);
  DestroyEventArgs destroy{.event_id = event, .pad = 0};
  EXPECT_EQ(machine_.ioctl(kDestroyEvent, destroy), 0);
  EXPECT_EQ(machine_.ioctl(kDestroyEvent, destroy), -EINVAL);
}

TEST_F(Ioctls, QueuesCheckEachOfTheirFields) {
  TestQueue queue;
  const CreateQueueArgs good = machine_.queue_args(&queue, 0, 4096);
  const auto attempt = [&](auto change) {
    CreateQueueArgs args = good;
    change(args);
    return machine_.ioctl(kCreateQueue, args);
  };
  EXPECT_EQ(attempt([](auto& a) { a.queue_percentage = 101; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.queue_priority = 16; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.ring_size = 5000; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.ring_size = 0; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.ring_size = 8192; }), -EINVAL) << "longer than what is mapped";
  EXPECT_EQ(attempt([](auto& a) { a.ring_base_address = ~0ull; }), -EFAULT);
  EXPECT_EQ(attempt([](auto& a) { a.ring_base_address = 0x10000; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.read_pointer_address = ~0ull; }), -EFAULT);
  EXPECT_EQ(attempt([](auto& a) { a.read_pointer_address = 0; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.write_pointer_address += 4; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.gpu_id = 1; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.queue_type = 9; }), -524) << "ENOTSUPP, as Linux lets it through";
  EXPECT_EQ(attempt([](auto& a) { a.ctl_stack_size = 4096; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.ctx_save_restore_size = 4096; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.ctx_save_restore_address = 0; }), -EINVAL);
  EXPECT_EQ(attempt([](auto& a) { a.eop_buffer_address = 0x10000; }), -EINVAL);
  EXPECT_EQ(attempt([](auto&) {}), 0);
}

TEST_F(Ioctls, QueuesHaveDoorbellsOfTheirOwnAndEnginesAreLimited) {
  TestQueue queues[13];
  uint64_t last = 0;
  for (int i = 0; i < 12; ++i) {
    CreateQueueArgs args = machine_.queue_args(&queues[i], 1, 4096);
    ASSERT_EQ(machine_.ioctl(kCreateQueue, args), 0) << i;
    EXPECT_NE(args.doorbell_offset, last);
    EXPECT_EQ(args.doorbell_offset % 8, 0u);
    EXPECT_EQ((args.doorbell_offset & ~0x1fffull) % (4ull << 30), 0u);
    last = args.doorbell_offset;
    queues[i].id = args.queue_id;
  }
  CreateQueueArgs args = machine_.queue_args(&queues[12], 1, 4096);
  EXPECT_EQ(machine_.ioctl(kCreateQueue, args), -ENOMEM);
  EXPECT_EQ(machine_.destroy(queues[3]), 0);
  EXPECT_EQ(machine_.destroy(queues[3]), -EINVAL);
  EXPECT_EQ(machine_.ioctl(kCreateQueue, args), 0);
}

// Found by the fuzzer: such a ring had no packets to count.
TEST_F(Ioctls, NoRingIsTooSmallToRun) {
  for (const uint32_t type : {0u, 1u, 2u}) {
    TestQueue queue;
    CreateQueueArgs args = machine_.queue_args(&queue, type, 4096);
    ASSERT_EQ(machine_.ioctl(kCreateQueue, args), 0);
    UpdateQueueArgs update{.ring_base_address = args.ring_base_address + 4,
                           .queue_id = args.queue_id,
                           .ring_size = 1,
                           .queue_percentage = 100,
                           .queue_priority = 7};
    EXPECT_EQ(machine_.ioctl(kUpdateQueue, update), 0);
    ::usleep(2000);
    DestroyQueueArgs destroy{.queue_id = args.queue_id, .pad = 0};
    EXPECT_EQ(machine_.ioctl(kDestroyQueue, destroy), 0);
  }
}

TEST_F(Ioctls, QueuesAreSuspendedAndResumed) {
  TestQueue queue = machine_.compute_queue();
  UpdateQueueArgs args{};
  args.ring_base_address = queue.ring.va;
  args.ring_size = 4096;
  args.queue_id = queue.id;
  args.queue_percentage = 0;
  EXPECT_EQ(machine_.ioctl(kUpdateQueue, args), 0);
  machine_.submit(queue, {0xffff1000});
  ::usleep(5000);
  EXPECT_EQ(machine_.read_pointer(queue), 0u);
  args.queue_percentage = 100;
  EXPECT_EQ(machine_.ioctl(kUpdateQueue, args), 0);
  EXPECT_TRUE(machine_.drain(queue));
  args.queue_id = 77;
  EXPECT_EQ(machine_.ioctl(kUpdateQueue, args), -EFAULT);
}

TEST_F(Ioctls, XnackAndRuntimeAreAsOnGfx11) {
  SetXnackModeArgs xnack{.xnack_enabled = -1};
  EXPECT_EQ(machine_.ioctl(kSetXnackMode, xnack), 0);
  EXPECT_EQ(xnack.xnack_enabled, 0);
  xnack.xnack_enabled = 1;
  EXPECT_EQ(machine_.ioctl(kSetXnackMode, xnack), -EPERM);
  RuntimeEnableArgs runtime{};
  runtime.mode_mask = kRuntimeModeEnable;
  EXPECT_EQ(machine_.ioctl(kRuntimeEnable, runtime), 0);
  EXPECT_EQ(machine_.ioctl(kRuntimeEnable, runtime), -EBUSY);
  runtime.mode_mask = 0;
  EXPECT_EQ(machine_.ioctl(kRuntimeEnable, runtime), 0);
  machine_.sdma_queue();
  runtime.mode_mask = kRuntimeModeEnable;
  EXPECT_EQ(machine_.ioctl(kRuntimeEnable, runtime), -EEXIST);
}

TEST_F(Ioctls, PoliciesTrapHandlersAndScratchAreTaken) {
  SetMemoryPolicyArgs policy{};
  policy.gpu_id = machine_.gpu_id();
  EXPECT_EQ(machine_.ioctl(kSetMemoryPolicy, policy), 0);
  policy.default_policy = 5;
  EXPECT_EQ(machine_.ioctl(kSetMemoryPolicy, policy), -EINVAL);
  SetTrapHandlerArgs trap{.tba_addr = 0x1000, .tma_addr = 0, .gpu_id = machine_.gpu_id(), .pad = 0};
  EXPECT_EQ(machine_.ioctl(kSetTrapHandler, trap), 0);
  trap.gpu_id = 3;
  EXPECT_EQ(machine_.ioctl(kSetTrapHandler, trap), -EINVAL);
  SetScratchBackingVaArgs scratch{.va_addr = 0x1000, .gpu_id = machine_.gpu_id(), .pad = 0};
  EXPECT_EQ(machine_.ioctl(kSetScratchBackingVa, scratch), 0);
}

TEST_F(Ioctls, ASecondCardHasItsOwnMemoryAndPageTables) {
  EmulatedOptions options;
  options.card_count = 2;
  Machine two(options);
  std::string id;
  ASSERT_EQ(two.driver().read_file("/sys/class/kfd/kfd/topology/nodes/2/gpu_id", &id), 0);
  const auto second = static_cast<uint32_t>(std::stoul(id));
  const TestBuffer buffer = two.vram();
  MapMemoryArgs map{.handle = buffer.handle,
                    .device_ids_array_ptr = reinterpret_cast<uint64_t>(&second),
                    .n_devices = 1,
                    .n_success = 0};
  EXPECT_EQ(two.ioctl(kMapMemory, map), -ENODEV) << "not acquired";
  const int render = two.driver().open("/dev/dri/renderD129", O_RDWR);
  AcquireVmArgs acquire{.drm_fd = static_cast<uint32_t>(render), .gpu_id = second};
  EXPECT_EQ(two.ioctl(kAcquireVm, acquire), 0);
  EXPECT_EQ(two.ioctl(kMapMemory, map), 0);
}

}  // namespace
}  // namespace bw::emulator
