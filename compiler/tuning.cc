#include "compiler/tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>
#include <sstream>
#include <utility>
#include <vector>

#include "amdgpu/gfx11/limits.h"

namespace bw::compiler {
namespace {

constexpr FileCache::Format kFormat = {
    .magic = {'B', 'W', 'T', 'U', 'N', 'E', '\r', '\n'},
    .version = 2,
    .digest = digest_of,
    .content = "measured choices",
};

constexpr uint32_t kWave = amdgpu::gfx11::kWaveLanes;

// Tells ways of doing a part apart, whatever its workgroup size is.
std::string label(const KernelPart& part) {
  constexpr size_t kDigits = 16;
  ir::Kernel kernel = part.kernel;
  kernel.workgroup_size = 1;
  return cache_key(kernel, part.form).hex().substr(0, kDigits);
}

// A choice as it is remembered: lanes of a workgroup, then how each part is done.
std::string print_choice(const ScheduledKernel& scheduled) {
  std::string text = fmt::format("{}", scheduled.parts[0].kernel.workgroup_size);
  for (const KernelPart& part : scheduled.parts) text += " " + label(part);
  return text;
}

bool can_resize(const KernelPart& part, uint32_t lanes) {
  return can_resize(part.kernel, part.form, part.group_extent[0], lanes);
}

void resize(KernelPart& part, uint32_t lanes) {
  part.kernel.workgroup_size = lanes;
  part.group_extent[0] = lanes / ir::group_size(part.kernel);
}

bool can_resize(const ScheduledKernel& scheduled, uint32_t lanes) {
  return std::ranges::all_of(scheduled.parts, [&](const KernelPart& part) { return can_resize(part, lanes); });
}

ScheduledKernel resized(ScheduledKernel scheduled, uint32_t lanes) {
  for (KernelPart& part : scheduled.parts) resize(part, lanes);
  return scheduled;
}

// With one part done in another way. Nothing where the parts would not agree on a workgroup size.
std::optional<ScheduledKernel> with_part(const ScheduledKernel& scheduled, size_t number, const KernelPart& other) {
  ScheduledKernel changed = scheduled;
  changed.parts[number] = other;
  if (changed.parts.size() == 1) return changed;
  for (const uint32_t lanes : {scheduled.parts[0].kernel.workgroup_size, other.kernel.workgroup_size}) {
    if (can_resize(changed, lanes)) return resized(std::move(changed), lanes);
  }
  return std::nullopt;
}

// The nearest to the present one first.
std::vector<uint32_t> workgroup_sizes(const ScheduledKernel& scheduled) {
  const uint32_t present = scheduled.parts[0].kernel.workgroup_size;
  std::vector<uint32_t> sizes;
  for (uint32_t factor = 2; factor <= ir::kMaxWorkgroupSize / kWave; factor *= 2) {
    if (present * factor <= ir::kMaxWorkgroupSize) sizes.push_back(present * factor);
    if (present % factor == 0 && present / factor >= kWave) sizes.push_back(present / factor);
  }
  std::erase_if(sizes, [&](uint32_t lanes) { return !can_resize(scheduled, lanes); });
  return sizes;
}

bool has_reduction(const ScheduledKernel& scheduled) {
  return std::ranges::any_of(scheduled.parts, [](const KernelPart& part) {
    return std::ranges::any_of(ir::topological_order(part.kernel.stores),
                               [](const ir::NodePtr& node) { return ir::is_reduce(node->op); });
  });
}

// The launch that `choice` describes; nothing where there is none, now that the models may have changed.
std::optional<ScheduledKernel> in_choice(const ScheduledKernel& scheduled, const std::string& choice) {
  std::istringstream words(choice);
  uint32_t lanes = 0;
  words >> lanes;
  ScheduledKernel changed = scheduled;
  for (size_t number = 0; number < scheduled.parts.size(); ++number) {
    std::string wanted;
    words >> wanted;
    const std::vector<KernelPart>& others = scheduled.others[number];
    const auto is_chosen = [&](const KernelPart& part) { return label(part) == wanted; };
    if (is_chosen(scheduled.parts[number])) continue;
    const auto other = std::ranges::find_if(others, is_chosen);
    if (other == others.end()) return std::nullopt;
    changed.parts[number] = *other;
  }
  if (lanes >= 1 && lanes <= ir::kMaxWorkgroupSize && can_resize(changed, lanes)) {
    changed = resized(std::move(changed), lanes);
  }
  if (print_choice(changed) != choice) return std::nullopt;
  return changed;
}

}  // namespace

// The search for the fastest way of one launch.
class FormTuning::Trial {
 public:
  Trial(Tuner& tuner, const Schedule& plan, const ScheduledKernel& scheduled, const Compile& compile)
      : tuner_(tuner), compile_(compile), best_(scheduled) {
    for (const size_t buffer : scheduled.launch.buffers) sizes_bytes_.push_back(plan.buffers[buffer].size_bytes);
    time(scheduled);
  }

  void choose_parts(size_t candidates) {
    for (size_t number = 0; number < best_.parts.size(); ++number) {
      const ScheduledKernel before = best_;
      const std::vector<KernelPart>& others = before.others[number];
      for (size_t i = 0; i < std::min(others.size(), candidates - 1); ++i) {
        if (const std::optional<ScheduledKernel> changed = with_part(before, number, others[i])) time(*changed);
      }
    }
  }
  void choose_workgroup_size(size_t candidates) {
    const ScheduledKernel before = best_;
    std::vector<uint32_t> sizes = workgroup_sizes(before);
    if (sizes.size() >= candidates) sizes.resize(candidates - 1);
    for (const uint32_t lanes : sizes) time(resized(before, lanes));
  }

  bool has_ended() const { return best_ns_ != kNever; }  // any of them
  // Nothing but the ways themselves kept one from being timed.
  bool is_complete() const { return is_complete_; }
  const ScheduledKernel& best() const { return best_; }

 private:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  // Of equal times the first stays: the model's favourite.
  void time(const ScheduledKernel& scheduled) {
    const Result<CompiledKernel> kernel = compile_(scheduled);
    if (!kernel.is_ok()) return;
    const Result<uint64_t> time_ns = tuner_.time_ns(kernel.value(), sizes_bytes_, scheduled.launch.variables);
    is_complete_ &= time_ns.is_ok();
    if (!time_ns.is_ok() || time_ns.value() >= best_ns_) return;
    best_ns_ = time_ns.value();
    best_ = scheduled;
  }

  Tuner& tuner_;
  const Compile& compile_;
  std::vector<uint64_t> sizes_bytes_;
  ScheduledKernel best_;
  uint64_t best_ns_ = kNever;
  bool is_complete_ = true;
};

FormTuning::FormTuning(std::shared_ptr<Tuner> tuner, size_t candidates, std::string dir)
    : tuner_(std::move(tuner)), candidates_(candidates), files_(std::move(dir), kFormat) {}

void FormTuning::choose_forms(Schedule& plan, const Compile& compile) {
  if (wanted_others() == 0) return;
  const std::lock_guard lock(mutex_);
  for (ScheduledKernel& scheduled : plan.kernels) choose_form(plan, scheduled, compile);
}

void FormTuning::choose_form(const Schedule& plan, ScheduledKernel& scheduled, const Compile& compile) {
  const bool has_others = std::ranges::any_of(scheduled.others, [](const auto& others) { return !others.empty(); });
  if (!has_others && (!has_reduction(scheduled) || workgroup_sizes(scheduled).empty())) return;
  const CacheKey key = tuning_key(scheduled.parts, tuner_->device_name(), candidates_);
  // "": none of the candidates runs. What is remembered may be of models that had other candidates.
  if (const std::optional<std::string> known = recall(key)) {
    if (known->empty()) return;
    if (std::optional<ScheduledKernel> chosen = in_choice(scheduled, *known)) {
      scheduled = *std::move(chosen);
      return;
    }
  }
  Trial trial(*tuner_, plan, scheduled, compile);
  trial.choose_parts(candidates_);
  trial.choose_workgroup_size(candidates_);
  const std::string choice = trial.has_ended() ? print_choice(trial.best()) : "";
  memory_[key.hex()] = choice;
  if (trial.is_complete()) files_.insert(key.digest, std::as_bytes(std::span(choice)));
  scheduled = trial.best();
}

std::optional<std::string> FormTuning::recall(const CacheKey& key) {
  if (const auto known = memory_.find(key.hex()); known != memory_.end()) return known->second;
  const std::optional<std::vector<std::byte>> content = files_.find(key.digest);
  if (!content) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(content->data()), content->size());
}

}  // namespace bw::compiler
