// Owns: which cases a command line asks for. Not here: running them.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "tools/barewave/bench/bench_case.h"
#include "tools/barewave/bench/timed_case.h"

namespace bw::tools {

struct CaseFilters {
  // Each is a case's whole name, which means that case alone; or a part of names; or a regular expression (ECMAScript)
  // that is found in names. None: all cases of the list.
  std::vector<std::string> filters;
  std::string model_path;  // "": without the case that needs one
};

// In the order of the list, each once; those of other sizes behind. kNotFound for a filter without a case.
Result<std::vector<BenchCase>> choose_counted(const CaseFilters& filters);
Result<std::vector<TimedCase>> choose_timed(const CaseFilters& filters);
// From `cases` instead of the list of this runtime's.
Result<std::vector<TimedCase>> choose_timed(const CaseFilters& filters, const std::vector<TimedCase>& cases,
                                            const std::function<std::vector<TimedCase>(const std::string&)>& sized);

}  // namespace bw::tools
