// Owns: what benchmarks came to, as text for people and as JSON for programs. What the figures mean: docs/bench.md.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tools/barewave/bench/bench_run.h"

namespace bw::tools {

// Lines, each ended.
std::string to_text(const BenchResult& result);
// Keys stay what they are as long as the "version" of the document does; there may be new ones.
nlohmann::ordered_json to_json(const BenchResult& result);

}  // namespace bw::tools
