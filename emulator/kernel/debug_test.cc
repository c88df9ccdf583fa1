// Requests of debuggers and of those who watch the card: DBG_TRAP, RUNTIME_ENABLE, SMI_EVENTS.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "emulator/testing/machine.h"
#include "kfd/uapi_debug.h"

namespace bw::emulator {
namespace {

using namespace kfd::uapi;
using testing::Machine;
using testing::TestQueue;

class Debug : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::pipe2(pipe_, O_CLOEXEC | O_NONBLOCK), 0); }
  void TearDown() override {
    ::close(pipe_[0]);
    if (pipe_[1] >= 0) ::close(pipe_[1]);
  }

  DbgTrapArgs args(DbgTrapOp op) {
    DbgTrapArgs result{};
    result.pid = static_cast<uint32_t>(::getpid());
    result.op = static_cast<uint32_t>(op);
    return result;
  }
  int call(DbgTrapArgs& request) { return machine_.ioctl(kDbgTrap, request); }
  int call(DbgTrapOp op) {
    DbgTrapArgs request = args(op);
    return call(request);
  }
  int enable(uint64_t mask) {
    DbgTrapArgs request = args(DbgTrapOp::kEnable);
    request.enable = {.exception_mask = mask,
                      .rinfo_ptr = reinterpret_cast<uint64_t>(&runtime_),
                      .rinfo_size = sizeof(runtime_),
                      .dbg_fd = static_cast<uint32_t>(pipe_[1])};
    return call(request);
  }
  int enable_runtime(uint32_t mode) {
    RuntimeEnableArgs request{.r_debug = 0x77, .mode_mask = mode, .capabilities_mask = 0};
    return machine_.ioctl(kRuntimeEnable, request);
  }
  size_t bytes_told() {
    std::array<char, 64> bytes;
    const ssize_t count = ::read(pipe_[0], bytes.data(), bytes.size());
    return count < 0 ? 0 : static_cast<size_t>(count);
  }
  // A write of the card that its page tables do not allow.
  void fault() {
    const size_t before = machine_.driver().fault_reports().size();
    TestQueue queue = machine_.sdma_queue();
    machine_.submit(queue, {0x00000002, 0x00500000, 0, 0, 1});
    EXPECT_TRUE(testing::eventually([&] { return machine_.driver().fault_reports().size() > before; }));
    EXPECT_EQ(machine_.destroy(queue), 0);
  }

  EmulatedOptions options() {
    EmulatedOptions result;
    result.kfd_minor_version = 17;
    return result;
  }
  Machine machine_{options()};
  int pipe_[2] = {-1, -1};
  RuntimeInfo runtime_{};
};

TEST_F(Debug, DeprecatedRequestsAreForbidden) {
  uint64_t space[4] = {};
  for (unsigned long request : {kDbgRegister, kDbgUnregister, kDbgAddressWatch, kDbgWaveControl}) {
    EXPECT_EQ(machine_.ioctl(request, space), -EPERM);
  }
  CriuArgs criu{};
  EXPECT_EQ(machine_.ioctl(kCriuOp, criu), -EACCES);
  for (unsigned nr = 0x82; nr <= kLastPrivateNr; ++nr) {
    EXPECT_EQ(machine_.ioctl(_IOWR('K', nr, uint64_t[4]), space), -ENOTTY);
  }
}

TEST_F(Debug, OnlyTheProcessItselfIsKnown) {
  DbgTrapArgs request = args(DbgTrapOp::kEnable);
  request.pid = 0;
  EXPECT_EQ(call(request), -ESRCH);
  request.pid = static_cast<uint32_t>(::getppid());
  EXPECT_EQ(call(request), -ESRCH) << "no process of KFD";
  request.pid = 0xffffffff;
  EXPECT_EQ(call(request), -ESRCH);
}

TEST_F(Debug, SessionsBeginOnceAndEnd) {
  for (uint32_t op = 1; op < 16; ++op) EXPECT_EQ(call(static_cast<DbgTrapOp>(op)), -EINVAL) << op << ": no session";
  DbgTrapArgs request = args(DbgTrapOp::kEnable);
  request.enable.dbg_fd = 0xffffffff;
  EXPECT_EQ(call(request), -EBADF);
  EXPECT_EQ(enable_runtime(3), 0);
  EXPECT_EQ(enable(0), 0);
  EXPECT_EQ(runtime_.r_debug, 0x77u);
  EXPECT_EQ(runtime_.runtime_state, 1u);
  EXPECT_EQ(runtime_.ttmp_setup, 1u);
  EXPECT_EQ(enable(0), -EALREADY);
  EXPECT_EQ(call(static_cast<DbgTrapOp>(15)), -EINVAL);
  EXPECT_EQ(call(DbgTrapOp::kDisable), 0);
  EXPECT_EQ(call(DbgTrapOp::kDisable), -EINVAL);
  request.enable = {.exception_mask = 0, .rinfo_ptr = 8, .rinfo_size = 16, .dbg_fd = static_cast<uint32_t>(pipe_[1])};
  EXPECT_EQ(call(request), -EFAULT);
  EXPECT_EQ(enable(0), -EALREADY) << "the session is on all the same, as on Linux";
}

TEST_F(Debug, NewQueuesAreToldAndSnapshotsShowThem) {
  EXPECT_EQ(enable(exception_mask(ExceptionCode::kQueueNew)), 0);
  DbgTrapArgs query = args(DbgTrapOp::kQueryDebugEvent);
  EXPECT_EQ(call(query), -EAGAIN);
  TestQueue queue = machine_.sdma_queue();
  EXPECT_EQ(bytes_told(), 1u);
  EXPECT_EQ(call(query), 0);
  EXPECT_EQ(query.query_debug_event.exception_mask, 1ull << 30);
  EXPECT_EQ(query.query_debug_event.queue_id, queue.id);
  EXPECT_EQ(query.query_debug_event.gpu_id, machine_.gpu_id());

  std::array<QueueSnapshot, 2> entries{};
  DbgTrapArgs snapshot = args(DbgTrapOp::kGetQueueSnapshot);
  snapshot.snapshot = {.exception_mask = 1ull << 30,
                       .snapshot_buf_ptr = reinterpret_cast<uint64_t>(entries.data()),
                       .count = 2,
                       .entry_size = 64};
  EXPECT_EQ(call(snapshot), 0);
  EXPECT_EQ(snapshot.snapshot.count, 1u);
  EXPECT_EQ(snapshot.snapshot.entry_size, 64u);
  EXPECT_EQ(entries[0].ring_base_address, queue.ring.va);
  EXPECT_EQ(entries[0].ring_size, 4096u);
  EXPECT_EQ(entries[0].queue_type, 1u);
  EXPECT_EQ(entries[0].exception_status, 1ull << 30);
  query.query_debug_event = {};
  EXPECT_EQ(call(query), -EAGAIN) << "the snapshot has cleared it";
  snapshot.snapshot = {.exception_mask = 0, .snapshot_buf_ptr = 8, .count = 1, .entry_size = 64};
  EXPECT_EQ(call(snapshot), -EFAULT);
  snapshot.snapshot = {.exception_mask = 0, .snapshot_buf_ptr = 0, .count = 0, .entry_size = 1000};
  EXPECT_EQ(call(snapshot), 0) << "asks how many there are";
  EXPECT_EQ(snapshot.snapshot.count, 1u);
}

TEST_F(Debug, DevicesAreShown) {
  EXPECT_EQ(enable(0), 0);
  DeviceSnapshot device{};
  DbgTrapArgs snapshot = args(DbgTrapOp::kGetDeviceSnapshot);
  snapshot.snapshot = {.exception_mask = 0,
                       .snapshot_buf_ptr = reinterpret_cast<uint64_t>(&device),
                       .count = 1,
                       .entry_size = sizeof(device)};
  EXPECT_EQ(call(snapshot), 0);
  EXPECT_EQ(device.gpu_id, machine_.gpu_id());
  EXPECT_EQ(device.gfx_target_version, 110000u);
  EXPECT_EQ(device.simd_count, 192u);
  EXPECT_EQ(device.lds_base, 1ull << 48);
  snapshot.snapshot.snapshot_buf_ptr = 0;
  EXPECT_EQ(call(snapshot), -EINVAL);
  snapshot.snapshot = {.exception_mask = 0, .snapshot_buf_ptr = 8, .count = 1, .entry_size = 120};
  EXPECT_EQ(call(snapshot), -EFAULT);
}

TEST_F(Debug, MemoryViolationsGoToTheDebuggerThatWantsThem) {
  const uint32_t event = machine_.create_event(8);
  const uint64_t mask = exception_mask(ExceptionCode::kDeviceMemoryViolation);
  EXPECT_EQ(enable(mask), 0);
  fault();
  EXPECT_TRUE(testing::eventually([&] { return bytes_told() == 1; }));
  EXPECT_EQ(machine_.wait_event(event, 0), 1u) << "the process does not hear of it";
  DbgTrapArgs info = args(DbgTrapOp::kQueryExceptionInfo);
  MemoryExceptionData data{};
  info.query_exception_info = {.info_ptr = reinterpret_cast<uint64_t>(&data),
                               .info_size = sizeof(data),
                               .source_id = machine_.gpu_id(),
                               .exception_code = 33,
                               .clear_exception = 0};
  EXPECT_EQ(call(info), 0);
  EXPECT_EQ(data.va, 0x500000u);
  EXPECT_EQ(info.query_exception_info.info_size, 32u);
  DbgTrapArgs send = args(DbgTrapOp::kSendRuntimeEvent);
  send.send_runtime_event = {.exception_mask = mask, .gpu_id = machine_.gpu_id(), .queue_id = 0};
  EXPECT_EQ(call(send), 0);
  EventData told{};
  EXPECT_EQ(machine_.wait_event(event, 1000, &told), 0u) << "until the debugger passes it on";
  EXPECT_EQ(told.memory_exception_data.va, 0x500000u);
  send.send_runtime_event.gpu_id = 1;
  EXPECT_EQ(call(send), -ENODEV);
  send.send_runtime_event = {.exception_mask = 1, .gpu_id = 0, .queue_id = 99};
  EXPECT_EQ(call(send), -EINVAL);

  info.query_exception_info.info_ptr = 8;
  EXPECT_EQ(call(info), -EFAULT);
  info.query_exception_info.info_ptr = 0;
  EXPECT_EQ(call(info), -EINVAL);
  info.query_exception_info = {.info_ptr = reinterpret_cast<uint64_t>(&data),
                               .info_size = 32,
                               .source_id = machine_.gpu_id(),
                               .exception_code = 32,
                               .clear_exception = 0};
  EXPECT_EQ(call(info), -ENODATA) << "was not raised";
  info.query_exception_info.exception_code = 60;
  EXPECT_EQ(call(info), -EINVAL);
  info.query_exception_info.exception_code = 0;
  EXPECT_EQ(call(info), -EINVAL);
}

TEST_F(Debug, HardwareOperationsNeedTheRuntime) {
  EXPECT_EQ(enable(0), 0);
  for (uint32_t op = 4; op <= 10; ++op) EXPECT_EQ(call(static_cast<DbgTrapOp>(op)), -EPERM) << op;
  EXPECT_EQ(enable_runtime(1), 0);
  DbgTrapArgs flags = args(DbgTrapOp::kSetFlags);
  flags.set_flags.flags = 1;
  EXPECT_EQ(call(flags), -EACCES) << "the card has no precise memory operations";
  flags.set_flags.flags = 0;
  EXPECT_EQ(call(flags), 0);
  DbgTrapArgs mode = args(DbgTrapOp::kSetWaveLaunchMode);
  EXPECT_EQ(call(mode), 0);
  mode.launch_mode.launch_mode = 2;
  EXPECT_EQ(call(mode), -EINVAL);
  mode.launch_mode.launch_mode = 1;
  EXPECT_EQ(call(mode), -EOPNOTSUPP) << "waves do not halt here";
  EXPECT_EQ(call(DbgTrapOp::kSuspendQueues), 0);
  EXPECT_EQ(call(DbgTrapOp::kResumeQueues), 0);
  EXPECT_EQ(call(DbgTrapOp::kSetNodeAddressWatch), -ENODEV);
  DbgTrapArgs clear = args(DbgTrapOp::kClearNodeAddressWatch);
  clear.clear_node_address_watch = {.gpu_id = machine_.gpu_id(), .id = 0};
  EXPECT_EQ(call(clear), -EINVAL);
}

TEST_F(Debug, ADebuggerThatWentAwayDoesNoHarm) {
  EXPECT_EQ(enable(~0ull), 0);
  ::close(pipe_[0]);
  pipe_[0] = -1;
  TestQueue queue = machine_.sdma_queue();
  EXPECT_EQ(machine_.destroy(queue), 0);
  EXPECT_EQ(call(DbgTrapOp::kSetExceptionsEnabled), 0);
}

TEST_F(Debug, TheRuntimeIsEnabledOnceAndBeforeQueues) {
  EXPECT_EQ(enable_runtime(0), 0) << "off is off";
  EXPECT_EQ(enable_runtime(1), 0);
  EXPECT_EQ(enable_runtime(1), -EBUSY);
  EXPECT_EQ(enable_runtime(0), 0);
  TestQueue queue = machine_.sdma_queue();
  EXPECT_EQ(enable_runtime(1), -EEXIST);
  EXPECT_EQ(machine_.destroy(queue), 0);
  EXPECT_EQ(enable_runtime(1), 0);
}

class Smi : public Debug {
 protected:
  int open() {
    SmiEventsArgs request{.gpu_id = machine_.gpu_id(), .anon_fd = 0};
    EXPECT_EQ(machine_.ioctl(kSmiEvents, request), 0);
    return static_cast<int>(request.anon_fd);
  }
  std::string read(int fd) {
    std::array<char, 512> text;
    const ssize_t count = ::read(fd, text.data(), text.size());
    return count < 0 ? "" : std::string(text.data(), static_cast<size_t>(count));
  }
};

TEST_F(Smi, FaultsAreToldAsLinesToWhoAsksForThem) {
  const int silent = open();
  const int listener = open();
  const uint64_t mask = smi_mask(SmiEvent::kVmFault);
  ASSERT_EQ(::write(listener, &mask, sizeof(mask)), 8);
  char byte = 0;
  EXPECT_EQ(::read(listener, &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  pollfd waiting{.fd = listener, .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&waiting, 1, 0), 0);
  fault();
  EXPECT_EQ(::poll(&waiting, 1, 5000), 1);
  const std::string line = read(listener);
  char expected[32];
  std::snprintf(expected, sizeof(expected), "1 %x:", static_cast<unsigned>(::getpid()));
  EXPECT_TRUE(line.starts_with(expected)) << line;
  EXPECT_TRUE(line.ends_with("\n"));
  EXPECT_EQ(read(silent), "");
  ::close(listener);
  fault();
  ::close(silent);
}

TEST_F(Smi, EvictionsOfClientMemoryAreTold) {
  const int listener = open();
  const uint64_t mask = smi_mask(SmiEvent::kQueueEviction) | smi_mask(SmiEvent::kQueueRestore);
  ASSERT_EQ(::write(listener, &mask, sizeof(mask)), 8);
  const auto user = machine_.user();
  EXPECT_EQ(machine_.driver().munmap(user.dwords(), user.size_bytes), 0);
  const std::string lines = read(listener);
  EXPECT_TRUE(lines.starts_with("9 ")) << lines;
  EXPECT_NE(lines.find("\na "), std::string::npos) << lines;
  ::close(listener);
}

TEST_F(Smi, PrefetchesAreToldAsMigrations) {
  const int listener = open();
  const uint64_t mask = smi_mask(SmiEvent::kMigrateStart) | smi_mask(SmiEvent::kMigrateEnd);
  ASSERT_EQ(::write(listener, &mask, sizeof(mask)), 8);
  void* memory = ::mmap(nullptr, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct {
    SvmArgs args;
    SvmAttribute attribute;
  } request{};
  request.args = {.start_addr = reinterpret_cast<uint64_t>(memory), .size = 4 * 4096, .op = 0, .nattr = 1};
  request.attribute = {.type = 1, .value = machine_.gpu_id()};
  EXPECT_EQ(machine_.ioctl(kSvm + (8ul << _IOC_SIZESHIFT), request), 0);
  const std::string lines = read(listener);
  unsigned event = 0, from = 1, to = 0, prefetch = 0, preferred = 0;
  unsigned long time = 0, page = 0, count = 0;
  int pid = 0, trigger = 9;
  EXPECT_EQ(std::sscanf(lines.c_str(), "%x %lu -%d @%lx(%lx) %x->%x %x:%x %d", &event, &time, &pid, &page, &count,
                        &from, &to, &prefetch, &preferred, &trigger),
            10)
      << lines;
  EXPECT_EQ(event, 5u);
  EXPECT_EQ(pid, ::getpid());
  EXPECT_EQ(page, reinterpret_cast<uint64_t>(memory) / 4096);
  EXPECT_EQ(count, 4u);
  EXPECT_EQ(from, 0u);
  EXPECT_EQ(to, machine_.gpu_id());
  EXPECT_EQ(trigger, 0);
  EXPECT_NE(lines.find("\n6 "), std::string::npos) << lines;
  machine_.driver().munmap(memory, 4 * 4096);
  ::close(listener);
}

TEST_F(Smi, ManyClientsComeAndGo) {
  for (int i = 0; i < 2000; ++i) {
    const int fd = open();
    ASSERT_GE(fd, 0);
    ::close(fd);
    if (i % 500 == 0) fault();
  }
  SmiEventsArgs request{.gpu_id = 1, .anon_fd = 0};
  EXPECT_EQ(machine_.ioctl(kSmiEvents, request), -EINVAL);
}

}  // namespace
}  // namespace bw::emulator
