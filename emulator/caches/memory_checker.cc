#include "emulator/caches/memory_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace bw::emulator {
namespace {

constexpr size_t kMostLabels = size_t{1} << 16;

const char* verb_of(AccessKind kind) {
  if (kind == AccessKind::kFetch) return "fetches";
  return kind == AccessKind::kAtomic ? "changes atomically" : is_write(kind) ? "writes" : "reads";
}

const char* name_of(CacheKind cache) {
  switch (cache) {
    case CacheKind::kVector:
      return "the vector caches";
    case CacheKind::kScalar:
      return "the scalar caches";
    case CacheKind::kInstruction:
      return "the instruction caches";
    case CacheKind::kL2:
      return "L2";
  }
  return "a cache";
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
  if (number == kOutside) return "the host or another card";
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

std::string MemoryChecker::describe(const StaleUse& stale, const Accesses& accesses) const {
  const std::string what = fmt::format("it {} bytes at {:#x}{}", verb_of(stale.access), stale.address,
                                       place_of(accesses, stale.access, stale.address));
  if (!stale.cache) {
    return what + ", which the host has written over PCIe: no flush of the host data path (HDP) between";
  }
  return fmt::format("{} through {}, which may hold them since {}, while {} has written them: no invalidation between",
                     what, name_of(*stale.cache), label_of(stale.holder), label_of(stale.writer));
}

MemoryChecker::Queue::Queue(std::shared_ptr<MemoryChecker> checker, const AddressSpace& space, std::string name)
    : checker_(std::move(checker)), view_(space), name_(std::move(name)) {
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

MemoryChecker::Queue::Finding MemoryChecker::Queue::check_packet(const std::string& packet, Accesses accesses) {
  if (accesses.is_empty()) return std::nullopt;
  return check(std::move(accesses), fmt::format("{} of {}", packet, name_));
}

MemoryChecker::Queue::Finding MemoryChecker::Queue::check_dispatch(uint64_t program_address, Accesses accesses) {
  std::string label = fmt::format("dispatch {} of {} (of program {:#x})", ++dispatch_count_, name_, program_address);
  accesses.program_address = program_address;
  return check(std::move(accesses), std::move(label));
}

MemoryChecker::Queue::Finding MemoryChecker::Queue::check(Accesses accesses, std::string label) {
  std::lock_guard lock(checker_->mutex_);
  WorkOrder& order = checker_->order_;
  const auto shared = std::make_shared<const Accesses>(std::move(accesses));
  Finding wrong;
  if (const auto race = order.find_race(number_, *shared)) {
    wrong = checker_->describe(*race, *shared);
  } else if (const auto stale = checker_->caches_.find_stale(*shared, view_)) {
    wrong = checker_->describe(*stale, *shared);
  }
  if (wrong) return fmt::format("{}: {}", label, *wrong);
  const Work work = order.add(number_, shared->program_address != 0, shared);
  checker_->remember(work.number, std::move(label));
  checker_->caches_.apply(*shared, work, view_);
  return std::nullopt;
}

void MemoryChecker::Queue::wait_for_dispatches() {
  std::lock_guard lock(checker_->mutex_);
  checker_->order_.wait_for_dispatches(number_);
}

void MemoryChecker::Queue::signal(uint64_t address, std::optional<uint64_t> value) {
  std::lock_guard lock(checker_->mutex_);
  checker_->order_.signal(number_, address, value, WorkOrder::Signal::kNow);
}

L2Cache::HasEnded MemoryChecker::Queue::ended(WorkOrder::Signal when) const {
  return [this, when](const WorkStamp& work) { return checker_->order_.has_ended(number_, when, work); };
}

bool MemoryChecker::Queue::is_told_to_others(uint64_t address) {
  Mapping mapping;
  return address == 0 || (view_.find(address / kSetPageBytes, &mapping) && (mapping.host_sees || mapping.shared));
}

MemoryChecker::Queue::Finding MemoryChecker::Queue::signal_at_end(uint64_t address, std::optional<uint64_t> value,
                                                                  const CacheActions& actions, Meaning meaning) {
  std::lock_guard lock(checker_->mutex_);
  constexpr auto kWhen = WorkOrder::Signal::kEndOfPipe;
  L2Cache& l2 = checker_->caches_.l2();
  if (actions.writes_back_l2) l2.write_back(ended(kWhen));
  checker_->order_.signal(number_, address, value, kWhen);
  if (meaning == Meaning::kTime || !is_told_to_others(address)) return std::nullopt;
  const auto dirty = l2.find_exposed(ended(kWhen));
  if (!dirty) return std::nullopt;
  return fmt::format(
      "it tells the host or another card that work has ended, while only L2 may have the bytes at {:#x}, which {} has "
      "written: no write-back between",
      dirty->address, checker_->label_of(dirty->writer.number));
}

void MemoryChecker::Queue::stored_signal(const std::string& packet, uint64_t address, uint64_t size_bytes) {
  std::lock_guard lock(checker_->mutex_);
  const WorkNumber number = checker_->order_.take_number();
  checker_->remember(number, fmt::format("{} of {}", packet, name_));
  checker_->caches_.store_signal(address, size_bytes, number, view_);
}

void MemoryChecker::Queue::wait_for_value(uint64_t address, const WorkOrder::Wanted& wanted) {
  std::lock_guard lock(checker_->mutex_);
  checker_->order_.wait_for_value(number_, address, wanted);
}

MemoryChecker::Queue::Finding MemoryChecker::Queue::acquire(const CacheActions& actions) {
  std::lock_guard lock(checker_->mutex_);
  CardCaches& caches = checker_->caches_;
  if (actions.writes_back_l2) {
    caches.l2().write_back(ended(WorkOrder::Signal::kNow));
  } else if (actions.invalidates_l2) {
    // Lines that were overwritten stay, and with them what is out of date beside.
    if (const auto dirty = caches.l2().find_dirty()) {
      return fmt::format(
          "it invalidates L2, where bytes at {:#x} are not in memory yet, which {} has written: no "
          "write-back with it",
          dirty->address, checker_->label_of(dirty->writer.number));
    }
  }
  caches.invalidate(actions);
  // What runs meanwhile may load, and store, before and after.
  for (const Work& work : checker_->order_.running_for(number_)) caches.refill(*work.accesses, work, view_);
  return std::nullopt;
}

void MemoryChecker::Queue::flush_host_path() {
  std::lock_guard lock(checker_->mutex_);
  checker_->caches_.flush_host_path(view_);
}

}  // namespace bw::emulator
