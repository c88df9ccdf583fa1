#include "compiler/tuning.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "compiler/cost_model.h"

namespace bw::compiler {
namespace {

constexpr FileCache::Format kFormat = {
    .magic = {'B', 'W', 'T', 'U', 'N', 'E', '\r', '\n'},
    .version = 1,
    .digest = digest_of,
    .content = "measured choices",
};

ScheduledKernel in_form(const ScheduledKernel& scheduled, const ContractionForm& form) {
  ScheduledKernel changed = scheduled;
  KernelPart& part = changed.parts[0];
  part.form = form;
  part.kernel.workgroup_size = form.lanes();
  part.group_extent = {form.block_n, form.block_m, 1};
  return changed;
}

}  // namespace

FormTuning::FormTuning(std::shared_ptr<Tuner> tuner, size_t candidates, std::string dir)
    : tuner_(std::move(tuner)), candidates_(candidates), files_(std::move(dir), kFormat) {}

void FormTuning::choose_forms(Schedule& plan, const Compile& compile) {
  if (tuner_ == nullptr || candidates_ < 2) return;
  const std::lock_guard lock(mutex_);
  for (ScheduledKernel& scheduled : plan.kernels) {
    // Parts of one launch share a workgroup size, and their time.
    if (scheduled.parts.size() != 1 || !std::holds_alternative<ContractionForm>(scheduled.parts[0].form)) continue;
    choose_form(plan, scheduled, compile);
  }
}

void FormTuning::choose_form(const Schedule& plan, ScheduledKernel& scheduled, const Compile& compile) {
  const ir::Kernel& kernel = scheduled.parts[0].kernel;
  const std::optional<Contraction> contraction = match_contraction(kernel);
  if (!contraction) return;
  std::vector<ContractionForm> forms = candidate_forms(*contraction);
  if (forms.size() > candidates_) forms.resize(candidates_);
  if (forms.size() < 2) return;
  const auto find = [&](const std::string& text) {
    return std::ranges::find_if(forms, [&](const ContractionForm& form) { return print_form(form) == text; });
  };
  const CacheKey key = tuning_key(kernel, tuner_->device_name(), candidates_);
  const std::optional<std::string> known = recall(key);
  // What is remembered may be of a cost model that had other candidates.
  auto chosen = known ? find(*known) : forms.end();
  if (chosen == forms.end() && !(known && known->empty())) {
    const Choice choice = time_all(plan, scheduled, forms, compile);
    memory_[key.hex()] = choice.form;
    if (choice.is_complete) files_.insert(key.digest, std::as_bytes(std::span(choice.form)));
    chosen = find(choice.form);
  }
  if (chosen != forms.end()) scheduled = in_form(scheduled, *chosen);
}

std::optional<std::string> FormTuning::recall(const CacheKey& key) {
  if (const auto known = memory_.find(key.hex()); known != memory_.end()) return known->second;
  const std::optional<std::vector<std::byte>> content = files_.find(key.digest);
  if (!content) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(content->data()), content->size());
}

FormTuning::Choice FormTuning::time_all(const Schedule& plan, const ScheduledKernel& scheduled,
                                        std::span<const ContractionForm> forms, const Compile& compile) {
  std::vector<uint64_t> sizes_bytes;
  for (const size_t buffer : scheduled.launch.buffers) sizes_bytes.push_back(plan.buffers[buffer].size_bytes);
  Choice choice;
  uint64_t best_ns = std::numeric_limits<uint64_t>::max();
  for (const ContractionForm& form : forms) {
    const Result<CompiledKernel> kernel = compile(in_form(scheduled, form));
    if (!kernel.is_ok()) continue;
    const Result<uint64_t> time_ns = tuner_->time_ns(kernel.value(), sizes_bytes, scheduled.launch.variables);
    choice.is_complete &= time_ns.is_ok();
    // Of equal times the model's favourite stays.
    if (!time_ns.is_ok() || time_ns.value() >= best_ns) continue;
    best_ns = time_ns.value();
    choice.form = print_form(form);
  }
  return choice;
}

}  // namespace bw::compiler
