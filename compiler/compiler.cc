#include "compiler/compiler.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "compiler/cache.h"
#include "compiler/code_object_resources.h"
#include "compiler/codegen.h"
#include "compiler/roofline.h"
#include "compiler/schedule.h"
#include "compiler/tuning.h"

namespace bw::compiler {
namespace {

// One code object to be found or made, for all kernels with the same key.
struct Job {
  CacheKey key;
  const ScheduledKernel* scheduled = nullptr;
  CodeCache::Bytes code_object;
};

class CachingCompiler final : public Compiler {
 public:
  explicit CachingCompiler(CompilerOptions options)
      : threads_(std::max<size_t>(options.threads, 1)),
        cache_(options.cache_dir),
        tuning_(std::move(options.tuner), options.tuning_candidates, options.cache_dir) {}

  Result<Program> compile(std::span<const ir::NodePtr> outputs) override;
  std::string cache_problem() const override { return cache_.problem(); }

 private:
  Status run(std::span<Job> jobs);
  Status generate(Job& job);
  Result<CompiledKernel> compile_alone(const ScheduledKernel& scheduled);

  const size_t threads_;
  CodeCache cache_;
  FormTuning tuning_;
};

bool same_grid(const CompiledKernel& kernel, const ScheduledKernel& scheduled) {
  return kernel.grid == scheduled.grid() && kernel.group_extent == scheduled.group_extent();
}

std::string forms_of(std::span<const KernelPart> parts) {
  std::vector<std::string> forms;
  for (const KernelPart& part : parts) {
    std::string form = print_form(part.form);
    if (std::find(forms.begin(), forms.end(), form) == forms.end()) forms.push_back(std::move(form));
  }
  return fmt::format("{}", fmt::join(forms, " + "));
}

Result<CompiledKernel> describe(const ScheduledKernel& scheduled, CodeCache::Bytes code_object) {
  const std::vector<KernelPart>& parts = scheduled.parts;
  CompiledKernel compiled;
  KernelWork work;
  for (const KernelPart& part : parts) {
    BW_ASSIGN(const KernelWork own, count_work(part.kernel, part.form));
    work = together(work, own);
  }
  compiled.flops = work.costs().flops;
  compiled.bytes = work.costs().bytes;
  compiled.name = launch_name(parts);
  compiled.form = forms_of(parts);
  compiled.symbol = kKernelSymbol;
  BW_ASSIGN(compiled.resources, read_resources(*code_object));
  compiled.diagnostic = spill_diagnostic(compiled.resources);
  compiled.code_object = std::move(code_object);
  compiled.workgroup_size = {parts[0].kernel.workgroup_size, 1, 1};
  compiled.grid = scheduled.grid();
  compiled.group_extent = scheduled.group_extent();
  compiled.kernarg_size_bytes = kernarg_size_bytes(parts);
  return compiled;
}

// Puts the job for `key` at the end of `jobs` unless it is there; returns its index.
size_t job_for(const CacheKey& key, const ScheduledKernel& scheduled, std::vector<Job>& jobs) {
  const auto it = std::find_if(jobs.begin(), jobs.end(), [&](const Job& job) { return job.key == key; });
  if (it != jobs.end()) return static_cast<size_t>(it - jobs.begin());
  jobs.push_back({key, &scheduled, nullptr});
  return jobs.size() - 1;
}

Status CachingCompiler::generate(Job& job) {
  BW_ASSIGN(CodeObject code, generate_code(job.scheduled->parts, Keep::kObjectOnly));
  job.code_object = std::make_shared<const std::vector<std::byte>>(std::move(code.elf));
  cache_.insert(job.key, job.code_object);
  return Status::ok();
}

// The calling thread takes part. After a failure no further job is begun.
Status CachingCompiler::run(std::span<Job> jobs) {
  std::vector<Job*> missing;
  for (Job& job : jobs) {
    job.code_object = cache_.find(job.key);
    if (job.code_object == nullptr) missing.push_back(&job);
  }
  std::atomic<size_t> next{0};
  std::mutex mutex;
  Status status;  // guarded by mutex: the first failure
  const auto work = [&] {
    for (size_t i = next.fetch_add(1); i < missing.size(); i = next.fetch_add(1)) {
      Status generated = generate(*missing[i]);
      if (generated.is_ok()) continue;
      next.store(missing.size());
      const std::lock_guard lock(mutex);
      if (status.is_ok()) status = std::move(generated);
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (size_t i = 1; i < std::min(threads_, missing.size()); ++i) helpers.emplace_back(work);
    work();
  }
  return status;
}

Result<CompiledKernel> CachingCompiler::compile_alone(const ScheduledKernel& scheduled) {
  Job job{cache_key(scheduled.parts), &scheduled, nullptr};
  BW_RETURN_IF_ERROR(run(std::span(&job, 1)));
  return describe(scheduled, std::move(job.code_object));
}

Result<Program> CachingCompiler::compile(std::span<const ir::NodePtr> outputs) {
  BW_ASSIGN(Schedule plan, schedule(outputs, {.others = tuning_.wanted_others()}));
  tuning_.choose_forms(plan, [this](const ScheduledKernel& scheduled) { return compile_alone(scheduled); });
  std::vector<Job> jobs;
  std::vector<size_t> job_of;
  for (const ScheduledKernel& scheduled : plan.kernels) {
    job_of.push_back(job_for(cache_key(scheduled.parts), scheduled, jobs));
  }
  BW_RETURN_IF_ERROR(run(jobs));
  Program program;
  std::vector<size_t> kernel_job;  // for each kernel of the program
  for (size_t i = 0; i < plan.kernels.size(); ++i) {
    const ScheduledKernel& scheduled = plan.kernels[i];
    size_t index = 0;
    while (index < kernel_job.size() &&
           !(kernel_job[index] == job_of[i] && same_grid(program.kernels[index], scheduled))) {
      ++index;
    }
    if (index == kernel_job.size()) {
      BW_ASSIGN(CompiledKernel compiled, describe(scheduled, jobs[job_of[i]].code_object));
      program.kernels.push_back(std::move(compiled));
      kernel_job.push_back(job_of[i]);
    }
    program.launches.push_back(scheduled.launch);
    program.launches.back().kernel = index;
  }
  program.buffers = std::move(plan.buffers);
  program.outputs = std::move(plan.outputs);
  return program;
}

}  // namespace

Result<std::unique_ptr<Compiler>> Compiler::create(CompilerOptions options) {
  return std::unique_ptr<Compiler>(std::make_unique<CachingCompiler>(std::move(options)));
}

}  // namespace bw::compiler
