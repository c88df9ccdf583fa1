#include "compiler/explain/explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

#include "compiler/cache.h"
#include "compiler/code_object_resources.h"
#include "compiler/lower_llvm_plan.h"
#include "ir/text.h"

namespace bw::compiler::explain {
namespace {

using ir::NodePtr;
using ir::Op;

// Kernels with the same code are compiled once.
struct Job {
  CacheKey key;
  const ScheduledKernel* scheduled = nullptr;
  Keep keep = Keep::kObjectOnly;
  CodeObject code;
};

Status compile_all(std::vector<Job>& jobs, size_t threads) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  Status status;  // guarded by mutex: the first failure
  const auto work = [&] {
    for (size_t i = next.fetch_add(1); i < jobs.size(); i = next.fetch_add(1)) {
      Result<CodeObject> code = generate_code(jobs[i].scheduled->parts, jobs[i].keep);
      if (code.is_ok()) {
        jobs[i].code = std::move(code).value();
        continue;
      }
      next.store(jobs.size());
      const std::lock_guard lock(mutex);
      if (status.is_ok()) status = std::move(code).status();
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (size_t i = 1; i < std::min(threads, jobs.size()); ++i) helpers.emplace_back(work);
    work();
  }
  return status;
}

// Gathers the proofs of single accesses, of which a tile has thousands.
Result<std::vector<Proof>> prove(const ir::Kernel& kernel) {
  BW_ASSIGN(const std::vector<ir::analysis::AccessProof> accesses, ir::analysis::prove_accesses(kernel));
  std::vector<Proof> proofs;
  std::map<std::tuple<uint64_t, ir::DType, Op>, size_t> known;
  for (const ir::analysis::AccessProof& access : accesses) {
    const auto& [id, name] = memory_param(*access.access).attr<ir::ParamAttr>();
    const auto [found, is_new] =
        known.try_emplace({id, memory_dtype(*access.access), access.access->op}, proofs.size());
    const auto [low, high, overflow] = access.bounds;
    if (is_new) {
      proofs.push_back({access.access->op, name, low, high, access.element_count, 0, access.method});
    }
    Proof& proof = proofs[found->second];
    proof.low = std::min(proof.low, low);
    proof.high = std::max(proof.high, high);
    proof.method = std::max(proof.method, access.method);
    ++proof.count;
  }
  return proofs;
}

Result<KernelFacts> gather(const ScheduledKernel& scheduled, const CodeObject& code) {
  KernelFacts facts;
  facts.name = launch_name(scheduled.parts);
  facts.workgroup_size = scheduled.parts[0].kernel.workgroup_size;
  KernelWork work;
  for (const KernelPart& part : scheduled.parts) {
    BW_ASSIGN(std::vector<Proof> proofs, prove(part.kernel));
    facts.proofs.push_back(std::move(proofs));
    facts.workgroups += count_workgroups(part);
    BW_ASSIGN(const KernelWork own, count_work(part.kernel, part.form));
    work = together(work, own);
  }
  facts.costs = work.costs();
  BW_ASSIGN(facts.resources, read_resources(code.elf));
  facts.occupancy = occupancy(facts.resources, facts.workgroup_size);
  facts.roofline = roofline(work, facts.occupancy, facts.workgroups);
  if (scheduled.parts.size() == 1) {
    facts.model_seconds = model_seconds(scheduled.parts[0].kernel, scheduled.parts[0].form);
  }
  facts.diagnostic = spill_diagnostic(facts.resources);
  facts.code = code;
  return facts;
}

}  // namespace

Result<Explanation> explain(std::span<const NodePtr> outputs, const ExplainOptions& options) {
  Explanation result;
  result.outputs.assign(outputs.begin(), outputs.end());
  BW_ASSIGN(result.schedule, schedule(outputs));
  const std::vector<ScheduledKernel>& kernels = result.schedule.kernels;
  if (options.kernel && *options.kernel >= kernels.size()) {
    return error(StatusCode::kInvalidArgument, "there is no kernel {} (the program has {})", *options.kernel,
                 kernels.size());
  }
  for (const NodePtr& node : ir::topological_order(outputs)) {
    if (node->op != Op::kParam) continue;
    const auto& [id, name] = node->attr<ir::ParamAttr>();
    result.param_names[id] = name;
  }
  std::vector<Job> jobs;
  std::vector<size_t> job_of;
  for (size_t i = 0; i < kernels.size(); ++i) {
    const CacheKey key = cache_key(kernels[i].parts);
    const auto found = std::find_if(jobs.begin(), jobs.end(), [&](const Job& job) { return job.key == key; });
    job_of.push_back(static_cast<size_t>(found - jobs.begin()));
    if (found == jobs.end()) jobs.push_back({key, &kernels[i], Keep::kObjectOnly, {}});
    if (options.kernel == i || options.listings == Listings::kOfAll) jobs[job_of[i]].keep = Keep::kListings;
  }
  BW_RETURN_IF_ERROR(compile_all(jobs, options.threads));
  for (size_t i = 0; i < kernels.size(); ++i) {
    BW_ASSIGN(KernelFacts facts, gather(kernels[i], jobs[job_of[i]].code));
    result.total_seconds += facts.roofline.total_seconds();
    result.kernels.push_back(std::move(facts));
  }
  return result;
}

}  // namespace bw::compiler::explain
