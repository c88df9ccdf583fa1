// Owns: one GPU, opened for computing: its queues, memory, code, submissions, waiting, and what is known after a fault.
// This is the whole interface that the layers above use:
//
//   auto device = Device::open(driver);                          // a kfd::KernelDriver, real or emulated
//   auto module = device->load(code_object_bytes);               // compiled for gfx1100
//   auto kernel = module->kernel("add");
//   Buffer a = device->allocate(MemoryKind::kVramHostVisible, size);
//   device->write(a, 0, bytes);
//   CommandRecorder recorder = device->record();
//   recorder.dispatch(*kernel, {groups, 1, 1}, {256, 1, 1}, argument_bytes);
//   recorder.barrier();                                          // between dependent dispatches
//   recorder.dispatch(...);
//   CommandBuffer commands = recorder.finish();                  // once; then for every replay:
//   Submission done = device->submit(commands);                  // one doorbell
//   device->wait(done);
//   device->read(a, 0, bytes);
//
// A Device and all that is made from it belong to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "amdgpu/code_module.h"
#include "amdgpu/command_buffer.h"
#include "amdgpu/device_info.h"
#include "amdgpu/direct_dispatch.h"
#include "amdgpu/graph/graph_recorder.h"
#include "amdgpu/graph/replay_series.h"
#include "amdgpu/memory.h"
#include "amdgpu/raw_program.h"
#include "amdgpu/submission.h"
#include "base/status.h"
#include "kfd/driver.h"

namespace bw::amdgpu {

struct DeviceOptions {
  uint32_t gpu_index = 0;  // among the gfx1100 GPUs, in the order of the topology
  // Of wait(): how long the device may show no progress, that is, start no dispatch and end no submission, before it is
  // given up. A hang is silent on real cards; an emulated one may take long over a single dispatch.
  uint64_t wait_timeout_ns = 60'000'000'000;
  uint64_t spin_ns = 200'000;                     // how long a wait spins before it sleeps in the driver
  uint32_t compute_ring_size_bytes = 256u << 10;  // powers of two
  uint32_t sdma_ring_size_bytes = 256u << 10;
};

class Device {
 public:
  // kNotFound if there is no driver or no gfx1100 GPU; kPermissionDenied; all with advice.
  static Result<std::unique_ptr<Device>> open(kfd::KernelDriver& driver, const DeviceOptions& options = {});
  // `count` GPUs from options.gpu_index on (nothing: all there are) in one session, so that they can reach each other's
  // memory and wait for each other. A fault of one is reported by all.
  static Result<std::vector<std::unique_ptr<Device>>> open_several(kfd::KernelDriver& driver,
                                                                   std::optional<uint32_t> count,
                                                                   const DeviceOptions& options = {});
  // The GPUs of an earlier opening, anew: after a hang or a fault that recover() should not hide, or only to have less
  // open meanwhile. The driver lets a process open a GPU once and keeps that until the process ends, so what is to be
  // opened again is the same session. unverified: on a real card after a real fault.
  static Result<std::vector<std::unique_ptr<Device>>> reopen(std::shared_ptr<DriverSession> session,
                                                             const DeviceOptions& options = {});
  // For reopen(), when this device and those that were opened with it have gone. Their buffers may stay.
  std::shared_ptr<DriverSession> session() const;

  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  // Destroys the queues; work that has not ended is abandoned.
  ~Device();

  const DeviceInfo& info() const;

  // Memory. Buffers start at multiples of 256. kVramHostVisible needs a large BAR (info().is_vram_host_visible);
  // contents are undefined.
  Result<Buffer> allocate(MemoryKind kind, uint64_t size_bytes);
  Result<Buffer> import_host_memory(std::span<std::byte> pages);
  // Pinned memory of the host, which the copy engine reaches: write() and read() copy straight from and to it.
  Result<Buffer> allocate_host(uint64_t size_bytes) { return allocate(MemoryKind::kGtt, size_bytes); }
  // Returns when the data is in the buffer (write) or out of it (read), for all later submissions. Waits for those
  // submissions made before that use the memory: graphs and copies are known to use what they name, all else (command
  // buffers, direct dispatches, series) may use everything. But small writes to memory that the host reaches do not
  // wait for kernels: whoever overwrites what a submission still uses waits for it first.
  Status write(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data);
  Status read(const Buffer& buffer, uint64_t offset_bytes, std::span<std::byte> data);
  // As write(), but returns when the data has been taken: it may then be changed, and the next pieces be prepared while
  // the copy engine works. Submissions made later see it, where they use the memory.
  Result<Submission> upload(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data);
  // Offset and size are multiples of 4. Returns when it is done.
  Status fill(const Buffer& buffer, uint64_t offset_bytes, uint64_t size_bytes, uint32_t value);
  // By the copy engine, in the background, after `after`. Copies to memory of the host have a queue of their own:
  // others may overtake them.
  Result<Submission> copy(const Buffer& destination, uint64_t destination_offset_bytes, const Buffer& source,
                          uint64_t source_offset_bytes, uint64_t size_bytes, std::span<const Submission> after = {});

  // Lets the kernels and copies of all devices that were opened together with this one reach the buffer, at the same
  // address. It must be this device's.
  Status share(const Buffer& buffer);
  // What is submitted to `queue` from now on begins when that submission of another device, opened together with this
  // one, has ended, and sees what it wrote. The host does not wait. When `peer` recovers or goes, its submissions
  // count as done, and the wait ends.
  Result<Submission> submit_wait(const Device& peer, Submission of_peer, QueueName queue = QueueName::kCompute);

  Result<std::unique_ptr<CodeModule>> load(std::span<const std::byte> code_object);
  // A program of which nothing is known but its bytes and registers; dispatched as any kernel.
  Result<std::unique_ptr<const Kernel>> load_program(const RawProgram& program);

  CommandRecorder record();
  // Starts after all earlier submissions of the queue, and after `after`.
  Result<Submission> submit(const CommandBuffer& commands, std::span<const Submission> after = {},
                            QueueName queue = QueueName::kCompute);

  // A launch of one kernel over that grid, for submit().
  Result<DirectDispatch> prepare_dispatch(const Kernel& kernel, const Dim3& workgroup_count,
                                          const Dim3& workgroup_size);
  // `arguments`: all explicit ones, as CommandRecorder::dispatch(); they are copied. No allocation, no system call;
  // where the ring is full it waits for the oldest submission.
  Result<Submission> submit(const DirectDispatch& dispatch, std::span<const std::byte> arguments,
                            QueueName queue = QueueName::kCompute);

  GraphRecorder record_graph(const GraphOptions& options = {});
  // Replays the graph with the present values of its parameters. No allocation, no system call, no lock; where the ring
  // is full it waits for the oldest submission. kInvalidArgument for a graph with a pointer that was never set.
  Result<Submission> submit(CommandGraph& graph, std::span<const Submission> after = {},
                            QueueName queue = QueueName::kCompute);

  // A series for up to that many replays.
  Result<ReplaySeries> make_series(size_t capacity);
  // One more replay, with the present values of the graph's parameters. After a submission it begins the series anew,
  // and waits for that first. All replays of a series are of one graph, which neither moves nor goes until the series
  // is submitted. kInvalidArgument for another graph, or more replays than the capacity; kUnsupported for packets that
  // do not fit in the ring, with the series as it was.
  Status append(ReplaySeries& series, CommandGraph& graph, const Replay& replay);
  // All replays, with one doorbell. No allocation, no system call but where the ring is full. kInvalidArgument, and the
  // series is empty, if the graph was submitted otherwise since the first of them was appended.
  Result<Submission> submit(ReplaySeries& series, QueueName queue = QueueName::kCompute);
  // Whether the replay has ended; false if it was left out. Errors as wait(). Makes no call of the driver unless the
  // device shows no progress.
  Result<bool> wait_replay(const ReplaySeries& series, size_t replay);

  bool is_done(Submission submission) const;
  // kTimeout (no progress for so long) names the kernels that were running; kDeviceFault says what is known about the
  // fault. After a fault every further call that needs the GPU returns the same report, until recover().
  Status wait(Submission submission);
  Status wait(Submission submission, uint64_t timeout_ns);
  Status wait_idle();
  // Which kernels and copies are running and what waits for other devices, as reports of time-outs say it.
  std::string describe_running() const;
  // Lets the submission take no longer than that from when all has ended that it waits for. Whoever waits for it or for
  // another when that time is over gets kTimeout with the kernels that were running, once; nothing is stopped, so one
  // may wait again, or recover(). The time is looked at in waits, in this call and in check_deadlines(), and begins
  // when one of them first sees that the submission may start.
  Status set_deadline(Submission submission, uint64_t limit_ns);
  // kTimeout for a deadline that has passed, or the report of a fault that is known. Does not wait.
  Status check_deadlines();
  // For all submissions that may use the buffer: before it is freed.
  Status wait_for_users(const Buffer& buffer);
  // The report of the fault, or ok.
  Status fault() const;
  // After a fault, or a program that does not end: new queues in place of the old. Buffers and code stay (their
  // contents may not), and so do graphs, which go on with the present values of their parameters; submissions made
  // before are abandoned and count as done. On Linux this is the way to go on
  // within a process: the driver knows one address space and one event page for a process and GPU until the process
  // ends, and refuses a second Device::open (amdkfd, kfd_ioctl_acquire_vm and kfd_kmap_event_page). unverified: on a
  // real card after a real fault.
  Status recover();

 private:
  struct Impl;
  explicit Device(std::unique_ptr<Impl> impl);
  // One for each GPU of the session, in its order.
  static Result<std::vector<std::unique_ptr<Device>>> make(std::shared_ptr<DriverSession> session,
                                                           std::vector<DeviceInfo> infos, const DeviceOptions& options);
  static Status check_complete(const CommandGraph& graph);
  void send_all_after_recovery(CommandGraph& graph);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bw::amdgpu
