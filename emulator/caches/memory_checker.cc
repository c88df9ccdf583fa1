#include "emulator/caches/memory_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace bw::emulator {
namespace {

constexpr size_t kMostLabels = size_t{1} << 16;

const char* verb_of(AccessKind kind) {
  return kind == AccessKind::kAtomic ? "changes atomically" : is_write(kind) ? "writes" : "reads";
}

const char* past_of(AccessKind kind) {
  return kind == AccessKind::kAtomic ? "changes them atomically" : is_write(kind) ? "writes them" : "reads them";
}

// Packets have no program.
std::string place_of(const Accesses& accesses, AccessKind kind, uint64_t address) {
  if (accesses.program_address == 0) return "";
  const int64_t offset = accesses.of(kind).program_offset_at(address);
  return fmt::format(" (pc {:#x})", accesses.program_address + static_cast<uint64_t>(offset));
}

}  // namespace

void MemoryChecker::remember(WorkNumber number, std::string text) {
  labels_.push_back({number, std::move(text)});
  if (labels_.size() > kMostLabels) labels_.pop_front();
}

std::string MemoryChecker::label_of(WorkNumber number) const {
  const auto found = std::lower_bound(labels_.begin(), labels_.end(), number,
                                      [](const Label& label, WorkNumber wanted) { return label.number < wanted; });
  return found == labels_.end() || found->number != number ? "work long ago" : found->text;
}

std::string MemoryChecker::describe(const Race& race, const Accesses& accesses) const {
  return fmt::format("it {} bytes at {:#x}{} although {}, which {}{}, may still be running: no wait between",
                     verb_of(race.kind), race.address, place_of(accesses, race.kind, race.address),
                     label_of(race.earlier.number), past_of(race.earlier_kind),
                     place_of(*race.earlier.accesses, race.earlier_kind, race.address));
}

std::string MemoryChecker::describe(const StaleRead& stale, const Accesses& accesses) const {
  const bool is_scalar = stale.kind == AccessKind::kScalarLoad;
  return fmt::format(
      "it reads bytes at {:#x}{} through the {} caches, which may hold them since {}, while {} has written them: no "
      "invalidation between",
      stale.address, place_of(accesses, stale.kind, stale.address), is_scalar ? "scalar" : "vector",
      label_of(stale.holder), label_of(stale.writer));
}

MemoryChecker::Queue::Queue(std::shared_ptr<MemoryChecker> checker, std::string name)
    : checker_(std::move(checker)), name_(std::move(name)) {
  std::lock_guard lock(checker_->mutex_);
  number_ = checker_->order_.add_queue();
}

MemoryChecker::Queue::~Queue() {
  std::lock_guard lock(checker_->mutex_);
  checker_->order_.remove_queue(number_);
}

void MemoryChecker::Queue::see_doorbell(uint64_t position) {
  std::lock_guard lock(checker_->mutex_);
  checker_->order_.see_doorbell(number_, position);
}

void MemoryChecker::Queue::begin_at(uint64_t position) {
  std::lock_guard lock(checker_->mutex_);
  checker_->order_.begin_at(number_, position);
}

void MemoryChecker::Queue::drained() {
  std::lock_guard lock(checker_->mutex_);
  checker_->order_.drained(number_);
}

std::optional<std::string> MemoryChecker::Queue::check_packet(const std::string& packet, Accesses accesses) {
  if (accesses.is_empty()) return std::nullopt;
  return check(std::move(accesses), fmt::format("{} of {}", packet, name_));
}

std::optional<std::string> MemoryChecker::Queue::check_dispatch(uint64_t program_address, Accesses accesses) {
  std::string label = fmt::format("dispatch {} of {} (of program {:#x})", ++dispatch_count_, name_, program_address);
  accesses.program_address = program_address;
  return check(std::move(accesses), std::move(label));
}

std::optional<std::string> MemoryChecker::Queue::check(Accesses accesses, std::string label) {
  std::lock_guard lock(checker_->mutex_);
  WorkOrder& order = checker_->order_;
  const auto shared = std::make_shared<const Accesses>(std::move(accesses));
  std::optional<std::string> wrong;
  if (const auto race = order.find_race(number_, *shared)) {
    wrong = checker_->describe(*race, *shared);
  } else if (const auto stale = checker_->near_.find_stale(*shared)) {
    wrong = checker_->describe(*stale, *shared);
  }
  if (wrong) return fmt::format("{}: {}", label, *wrong);
  const Work work = order.add(number_, shared->program_address != 0, shared);
  checker_->remember(work.number, std::move(label));
  checker_->near_.apply(*shared, work.number);
  return std::nullopt;
}

void MemoryChecker::Queue::wait_for_dispatches() {
  std::lock_guard lock(checker_->mutex_);
  checker_->order_.wait_for_dispatches(number_);
}

void MemoryChecker::Queue::signal(uint64_t address, WorkOrder::Signal when) {
  std::lock_guard lock(checker_->mutex_);
  checker_->order_.signal(number_, address, when);
}

void MemoryChecker::Queue::wait_for_value(uint64_t address) {
  std::lock_guard lock(checker_->mutex_);
  checker_->order_.wait_for_value(number_, address);
}

// What runs meanwhile may load, and store, before and after.
void MemoryChecker::Queue::keep_running() {
  for (const Work& work : checker_->order_.running_for(number_)) checker_->near_.apply(*work.accesses, work.number);
}

void MemoryChecker::Queue::invalidate_vector() {
  std::lock_guard lock(checker_->mutex_);
  checker_->near_.invalidate_vector();
  keep_running();
}

void MemoryChecker::Queue::invalidate_scalar() {
  std::lock_guard lock(checker_->mutex_);
  checker_->near_.invalidate_scalar();
  keep_running();
}

}  // namespace bw::emulator
