// Owns: a device's queues, what is pending on them, waiting for it with time-outs, and the report after a fault.
// Not here: what the commands are (command_buffer.h) and data for the host (transfer.h).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "amdgpu/command_buffer.h"
#include "amdgpu/compute_frame.h"
#include "amdgpu/copy_work.h"
#include "amdgpu/device_info.h"
#include "amdgpu/direct_dispatch.h"
#include "amdgpu/driver_session.h"
#include "amdgpu/fault_monitor.h"
#include "amdgpu/hardware_queue.h"
#include "amdgpu/submission.h"
#include "amdgpu/submission_image.h"
#include "base/ring_queue.h"

namespace bw::amdgpu {

// Stays where it is; for one thread at a time.
class QueueSet {
 public:
  struct Options {
    uint64_t wait_timeout_ns = 0;
    uint64_t spin_ns = 0;
    uint32_t compute_ring_size_bytes = 0;
    uint32_t sdma_ring_size_bytes = 0;
  };
  // On a GPU of the session, whose other GPUs may wait on the queues' timelines.
  static Result<std::unique_ptr<QueueSet>> create(DriverSession& session, kfd::Gpu& gpu, const DeviceInfo& info,
                                                  const Options& options);

  // What other GPUs wait for counts as ended.
  ~QueueSet();

  // Recorded commands on a compute queue. `patches` are packets that the queue executes when all its earlier work has
  // ended, before the commands.
  struct Work {
    const std::shared_ptr<const RecordedCommands>& commands;
    QueueName queue = QueueName::kCompute;
    std::span<const Submission> after = {};
    std::span<const uint32_t> patches = {};
    Submission previous = {};  // of the same graph: also waited for
    // In place of the commands' own entry.
    std::span<const uint32_t> entry = {};
  };
  // Allocates nothing and makes no system call, unless the ring is full or the queue is new.
  Result<Submission> submit(const Work& work);
  // One kernel. `arguments` are its whole kernarg segment.
  Result<Submission> submit(const DirectDispatch& dispatch, std::span<const std::byte> arguments, QueueName queue);
  // `queue` is one of the copy engine's. Caches, waits and signals are added around the work.
  Result<Submission> submit(const CopyWork& work, QueueName queue, std::span<const Submission> after);
  // Submissions to the compute queues from now on wait for this copy and those before it of its queue, kSdma, where
  // they use the same memory.
  void make_compute_wait_for(Submission copy) { awaited_copy_ = copy; }

  // For each queue, the last submission that has not ended and may use the memory so that it and `use` must not happen
  // at the same time; done ones (value 0) where there is none.
  using Conflicts = std::array<Submission, kQueueNames.size()>;
  Conflicts conflicts_with(const AddressUse& use) const;

  // What is submitted to `queue` from now on begins when that submission of another GPU of the session has ended.
  Result<Submission> submit_wait(QueueName queue, const QueueSet& peer, Submission of_peer);

  bool is_done(Submission submission) const;
  Submission last(QueueName queue) const;
  Status wait(Submission submission) { return wait(submission, options_.wait_timeout_ns); }
  Status wait(Submission submission, uint64_t timeout_ns);
  // For one that whoever wants to submit more must wait for. Whoever does so again and again on a device that hangs
  // waits only once.
  Status wait_to_submit(Submission earlier);
  // Until the host sees `value` in a word that `submission` writes: true. False if that has ended without.
  Result<bool> wait_word(const uint32_t& word, uint32_t value, Submission submission);
  Status wait_idle();
  // What is running, by what the GPU says.
  std::string describe_pending() const;
  // See Device.
  Status set_deadline(Submission submission, uint64_t limit_ns);
  Status check_deadlines();
  // The most dwords that the ring takes at once, less what stands around the work of a submission.
  size_t capacity_dwords(QueueName queue) const;
  const Status& fault() const { return fault_; }
  // New queues for the old ones. What was submitted is abandoned and counts as ended.
  Status recover();
  // How often it has recovered.
  uint64_t recovery_count() const { return recovery_count_; }

 private:
  // What is pending but on compute queues, or besides them.
  struct OtherWork {
    CopyWork copy = {};     // SDMA
    std::string what = {};  // waits for other GPUs
  };
  struct Pending {
    bool conflicts_with(const AddressUse& use, QueueName queue) const {
      if (other != nullptr) return !other->what.empty() || other->copy.conflicts_with(use);
      return has_other_packets || commands->conflicts_with(use, {queue, value});
    }
    std::string describe() const {
      if (other == nullptr) return commands->describe_running();
      return other->what.empty() ? other->copy.describe() : other->what;
    }

    uint64_t value = 0;
    const RecordedCommands* commands = nullptr;           // compute
    std::shared_ptr<const RecordedCommands> keeper = {};  // with the last of the submissions of the same commands
    bool has_other_packets = false;                       // beside those of the commands; what they use is not known
    std::unique_ptr<const OtherWork> other = {};          // instead of commands
    std::array<uint64_t, kQueueNames.size()> after{};     // it starts when each queue has come that far
  };
  struct Deadline {
    Submission submission;
    std::chrono::nanoseconds limit{};
    std::optional<std::chrono::steady_clock::time_point> start;  // when it was first seen that nothing was before it
  };
  struct Lane {
    RingQueue<Pending> pending;
    // Of direct dispatches: a place for each that can be under way; made when first needed.
    kfd::Allocation arguments;
    ComputeFrame frame;     // of compute queues
    SubmissionImage image;  // of compute queues
    HardwareQueue queue;    // goes first, and with it the GPU's use of what is pending
  };

  QueueSet(DriverSession& session, kfd::Gpu& gpu, const DeviceInfo& info, const Options& options)
      : session_(session), gpu_(gpu), peers_(session.peers_of(gpu)), info_(info), options_(options) {}

  // A queue in place of the one of that name, if any, whose timeline goes on where that has ended.
  Status create_queue(QueueName name);
  // Ends the queue. Waits of other GPUs for it end, and may still look at its timeline.
  void abandon(Lane& lane);

  Lane& lane(QueueName queue) { return lanes_[static_cast<size_t>(queue)]; }
  const Lane& lane(QueueName queue) const { return lanes_[static_cast<size_t>(queue)]; }
  // Whether all is as make_ready() leaves it.
  bool is_ready(QueueName queue) const {
    return fault_.is_ok() && lane(queue).queue.exists() && lane(queue).queue.submitted() < HardwareQueue::kLastValue;
  }
  // Fails after a fault and at the end of the timeline; makes the queue if there is none yet.
  Status make_ready(QueueName queue);
  Submission next(QueueName queue) const { return {queue, lane(queue).queue.submitted() + 1}; }
  // Waits for copies that these commands must see, to `waits_`. Null: it is not known what they use.
  Status append_copy_wait(const RecordedCommands* commands, Submission submission);
  Status append_wait_for(Submission other);
  Submission last_conflict(QueueName queue, const AddressUse& use) const;
  // HardwareQueue::begin(), when there is room.
  Result<uint32_t*> wait_for_room(QueueName queue, size_t count_dwords);
  Status make_arguments(Lane& lane);
  // Hands over the packets that stand in the ring, as the queue's next() submission, about which the caller says more.
  Pending& push(QueueName queue);
  // Of commands.
  Pending& push(QueueName queue, const std::shared_ptr<const RecordedCommands>& commands);
  // The packets of the queue's image, to `at`; returns where those between the parts of the frame begin.
  uint32_t* put_image(QueueName queue, uint32_t* at);
  // Whether it is what the queue got last, and nothing else.
  bool is_repeat(const Work& work) const;
  Result<Submission> submit_anew(const Work& work);
  // All packets of a submission that is none of commands.
  Result<Submission> push(QueueName queue, std::span<const uint32_t> packets, OtherWork work,
                          std::span<const Submission> after);
  // Raises the timeline of a copy queue and wakes sleepers.
  void append_signal(SdmaBuilder& builder, Submission submission) const;
  // Lets go of what has ended.
  void retire(Lane& lane);
  // The oldest submission has ended, or was given up.
  void pop(Lane& lane);
  // Null if all that was submitted has ended.
  static const Pending* first_running(const Lane& lane);
  Status sleep(uint64_t timeout_ns);
  // Whether all has ended that the submission waits for.
  bool may_start(Submission submission) const;
  // How long until the next deadline passes, as far as they are under way.
  uint64_t ns_to_deadline() const;
  // A number that changes whenever a dispatch is started or a submission ends.
  uint64_t progress() const;

  DriverSession& session_;
  kfd::Gpu& gpu_;
  const std::vector<kfd::Gpu*> peers_;
  const DeviceInfo& info_;
  const Options options_;
  std::unique_ptr<FaultMonitor> monitor_;
  Lane lanes_[kQueueNames.size()];
  Submission awaited_copy_;
  std::vector<uint32_t> waits_;  // of the submission that is being made; kept so that none allocates
  Status fault_;
  std::vector<Deadline> deadlines_;
  uint64_t last_word_ns_ = 0;         // how long the last wait_word() took
  std::optional<uint64_t> stuck_at_;  // the progress at which a queue was full for as long as a wait may take
  uint64_t recovery_count_ = 0;
};

}  // namespace bw::amdgpu
