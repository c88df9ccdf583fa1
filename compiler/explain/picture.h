// Owns: an explanation as a picture: for Graphviz, and as a page for a browser.
#pragma once

#include <string>

#include "base/status.h"
#include "compiler/explain/explanation.h"

namespace bw::compiler::explain {

// A graph in Graphviz' language: a cluster for each kernel, with what it computes (arithmetic on indices left out), and
// the buffers between them.
std::string print_dot(const Explanation& explanation);

// One page that needs nothing else: the list of kernels, which of them feed which, and the report of each. `title` is
// text, not HTML. Errors: as print_kernel_report.
Result<std::string> print_html(const Explanation& explanation, const std::string& title);

}  // namespace bw::compiler::explain
