// Owns: choosing how kernels are dealt out by timing them, and remembering the choices. Not here: which ways there are
// and what the models make of them (compiler/loops_others.h), how a kernel is timed (Tuner, compiler/compiler.h).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/file_cache.h"
#include "base/status.h"
#include "compiler/cache.h"
#include "compiler/compiler.h"
#include "compiler/schedule.h"

namespace bw::compiler {

// Safe to use from several threads; the tuner is used by one at a time.
class FormTuning {
 public:
  using Compile = std::function<Result<CompiledKernel>(const ScheduledKernel&)>;

  // Does nothing without a tuner or with fewer than two candidates. `dir` "": choices are remembered in memory only.
  FormTuning(std::shared_ptr<Tuner> tuner, size_t candidates, std::string dir);

  // Of other ways, those a schedule should have for choose_forms().
  size_t wanted_others() const { return tuner_ == nullptr || candidates_ < 2 ? 0 : candidates_ - 1; }

  // Gives each launch with a reduction the fastest of so many candidates: first, for one part after the other, of the
  // ways there are to do it, while the other parts stay as they are; then of the workgroup sizes, where all parts are
  // lanes by themselves or in groups. A candidate that cannot be compiled or timed is left out; where all are, the
  // launch stays as it is.
  void choose_forms(Schedule& plan, const Compile& compile);

 private:
  class Trial;

  void choose_form(const Schedule& plan, ScheduledKernel& scheduled, const Compile& compile);
  std::optional<std::string> recall(const CacheKey& key);

  const std::shared_ptr<Tuner> tuner_;
  const size_t candidates_;
  FileCache files_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> memory_;  // guarded by mutex_: by the key in hex
};

}  // namespace bw::compiler
