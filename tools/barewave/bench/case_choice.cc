#include "tools/barewave/bench/case_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <regex>

namespace bw::tools {
namespace {

std::vector<std::string> names_of(const BenchCase& one) {
  return {one.name, one.timed_name};
}
std::vector<std::string> names_of(const TimedCase& one) {
  return {one.name, one.alias};
}

// One filter, over the names of a case.
class Filter {
 public:
  explicit Filter(const std::string& text) : text_(text) {
    // Which throws for what is no regular expression, and is then a part of a name or nothing.
    try {
      expression_.emplace(text, std::regex::ECMAScript | std::regex::optimize);
    } catch (const std::regex_error&) {
      expression_.reset();
    }
  }

  template <typename Case>
  bool names(const Case& one) const {
    const std::vector<std::string> all = names_of(one);
    return std::find(all.begin(), all.end(), text_) != all.end();
  }

  template <typename Case>
  bool fits(const Case& one) const {
    for (const std::string& name : names_of(one)) {
      if (name.find(text_) != std::string::npos) return true;
      if (expression_ && !name.empty() && std::regex_search(name, *expression_)) return true;
    }
    return false;
  }

 private:
  std::string text_;
  std::optional<std::regex> expression_;
};

template <typename Case>
bool has_name(const std::vector<Case>& cases, const std::string& name) {
  return std::any_of(cases.begin(), cases.end(), [&](const Case& one) { return one.name == name; });
}

// `make_sized` makes a case from a name that is not in the list.
template <typename Case, typename MakeSized>
Result<std::vector<Case>> choose(const CaseFilters& filters, const std::vector<Case>& all,
                                 const MakeSized& make_sized) {
  if (filters.filters.empty()) return all;
  std::vector<bool> is_chosen(all.size(), false);
  std::vector<Case> made;
  for (const std::string& text : filters.filters) {
    const Filter filter(text);
    const bool is_whole = std::any_of(all.begin(), all.end(), [&](const Case& one) { return filter.names(one); });
    if (!is_whole) {
      std::vector<Case> sized = make_sized(text);
      if (!sized.empty()) {
        if (!has_name(made, sized.front().name)) made.push_back(std::move(sized.front()));
        continue;
      }
    }
    bool is_found = false;
    for (size_t i = 0; i < all.size(); ++i) {
      if (!(is_whole ? filter.names(all[i]) : filter.fits(all[i]))) continue;
      is_chosen[i] = is_found = true;
    }
    if (is_found) continue;
    return error(StatusCode::kNotFound, "bench: no case has '{}' in its name (--list shows them{})", text,
                 filters.model_path.empty() ? "; decode_step needs --model" : "");
  }
  std::vector<Case> chosen;
  for (size_t i = 0; i < all.size(); ++i) {
    if (is_chosen[i]) chosen.push_back(all[i]);
  }
  std::move(made.begin(), made.end(), std::back_inserter(chosen));
  return chosen;
}

}  // namespace

Result<std::vector<BenchCase>> choose_counted(const CaseFilters& filters) {
  return choose(filters, bench_cases(filters.model_path), shaped_case);
}

Result<std::vector<TimedCase>> choose_timed(const CaseFilters& filters) {
  std::vector<TimedCase> all;
  add_submission_cases(&all);
  add_copy_cases(&all);
  for (const BenchCase& one : bench_cases(filters.model_path)) all.push_back(timed_case_of(one));
  for (const BenchCase& one : decode_loop_cases(filters.model_path)) all.push_back(timed_case_of(one));
  return choose_timed(filters, all, [](const std::string& name) {
    std::vector<TimedCase> sized = sized_case(name);
    for (const BenchCase& one : shaped_case(name)) sized.push_back(timed_case_of(one));
    return sized;
  });
}

Result<std::vector<TimedCase>> choose_timed(const CaseFilters& filters, const std::vector<TimedCase>& cases,
                                            const std::function<std::vector<TimedCase>(const std::string&)>& sized) {
  return choose(filters, cases, sized);
}

}  // namespace bw::tools
