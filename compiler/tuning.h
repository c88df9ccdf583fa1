// Owns: choosing the forms of matrix products by timing them, and remembering the choices. Not here: which forms there
// are and what the cost model makes of them (compiler/cost_model.h), how a kernel is timed (Tuner,
// compiler/compiler.h).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "base/file_cache.h"
#include "base/status.h"
#include "compiler/cache.h"
#include "compiler/compiler.h"
#include "compiler/kernel_form.h"
#include "compiler/schedule.h"

namespace bw::compiler {

// Safe to use from several threads; the tuner is used by one at a time.
class FormTuning {
 public:
  using Compile = std::function<Result<CompiledKernel>(const ScheduledKernel&)>;

  // Does nothing without a tuner or with fewer than two candidates. `dir` "": choices are remembered in memory only.
  FormTuning(std::shared_ptr<Tuner> tuner, size_t candidates, std::string dir);

  // Gives each kernel with a ContractionForm that has a launch for itself the fastest of its first candidates. One that
  // cannot be compiled or timed is left out; if all are, the form stays.
  void choose_forms(Schedule& plan, const Compile& compile);

 private:
  struct Choice {
    std::string form;         // print_form(); "": none of them ran
    bool is_complete = true;  // nothing but the forms themselves kept one from being timed
  };

  void choose_form(const Schedule& plan, ScheduledKernel& scheduled, const Compile& compile);
  // "": of the candidates none runs.
  std::optional<std::string> recall(const CacheKey& key);
  Choice time_all(const Schedule& plan, const ScheduledKernel& scheduled, std::span<const ContractionForm> forms,
                  const Compile& compile);

  const std::shared_ptr<Tuner> tuner_;
  const size_t candidates_;
  FileCache files_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> memory_;  // guarded by mutex_: by the key in hex
};

}  // namespace bw::compiler
