// Owns: the page for a browser.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "compiler/explain/picture.h"
#include "compiler/explain/report.h"

namespace bw::compiler::explain {
namespace {

constexpr const char* kStyle = R"(<style>
body { font: 14px sans-serif; margin: 2em auto; max-width: 70em; color: #222; }
table { border-collapse: collapse; }
td, th { padding: 2px 10px; text-align: right; white-space: nowrap; }
td.text, th.text { text-align: left; }
tr:nth-child(even) { background: #f4f4f4; }
summary { cursor: pointer; padding: 4px 0; }
pre { background: #f4f4f4; padding: 1em; overflow-x: auto; }
.warning { color: #b00; }
svg text { font: 12px sans-serif; }
</style>
)";

constexpr int kRowHeight = 22;
constexpr int kBoxWidth = 420;
constexpr size_t kMaxArcs = 4000;

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string print_rows(const Explanation& explanation) {
  std::string text =
      "<table><tr><th>#</th><th class=text>kernel</th><th>groups</th><th>lanes</th><th>FLOP</th><th>bytes</th>"
      "<th>VGPRs</th><th>LDS</th><th>waves</th><th>time</th><th class=text>bound</th></tr>\n";
  for (size_t i = 0; i < explanation.kernels.size(); ++i) {
    const KernelFacts& facts = explanation.kernels[i];
    text += fmt::format(
        "<tr><td><a href=\"#k{0}\">{0}</a></td><td class=text>{1}</td><td>{2}</td><td>{3}</td><td>{4}</td><td>{5}</td>"
        "<td{6}>{7}</td><td>{8}</td><td>{9:.3g}</td><td>{10}</td><td class=text>{11}</td></tr>\n",
        i, escaped(facts.name), facts.workgroups, facts.workgroup_size,
        print_quantity(static_cast<double>(facts.costs.flops)), print_quantity(static_cast<double>(facts.costs.bytes)),
        facts.diagnostic.empty() ? "" : fmt::format(" class=warning title=\"{}\"", escaped(facts.diagnostic)),
        facts.resources.vgprs, facts.resources.lds_bytes, facts.occupancy.waves_per_simd,
        print_seconds(facts.roofline.total_seconds()), name(facts.roofline.bound));
  }
  return text + "</table>\n";
}

// Kernels from top to bottom, each with a bar of its share of the time; arcs go from what writes a temporary buffer to
// what reads it.
std::string print_flow(const Explanation& explanation) {
  const size_t count = explanation.kernels.size();
  double longest = 0;
  for (const KernelFacts& facts : explanation.kernels) longest = std::max(longest, facts.roofline.total_seconds());
  std::string boxes;
  std::string arcs;
  size_t arc_count = 0;
  int widest = 0;
  std::map<size_t, size_t> writer;  // of each buffer so far
  for (size_t i = 0; i < count; ++i) {
    const KernelFacts& facts = explanation.kernels[i];
    const int top = static_cast<int>(i) * kRowHeight;
    const double share = longest > 0 ? facts.roofline.total_seconds() / longest : 0;
    boxes += fmt::format(
        "<rect x=\"0\" y=\"{0}\" width=\"{1}\" height=\"{2}\" fill=\"#eee\"/><rect x=\"0\" y=\"{0}\" width=\"{3:.1f}\" "
        "height=\"{2}\" fill=\"#bcd\"/><a href=\"#k{4}\"><text x=\"6\" y=\"{5}\">{4}: {6}</text></a>\n",
        top + 1, kBoxWidth, kRowHeight - 2, share * kBoxWidth, i, top + 15, escaped(facts.name));
    const Launch& launch = explanation.schedule.kernels[i].launch;
    for (size_t k = launch.written_buffers; k < launch.buffers.size(); ++k) {
      const auto found = writer.find(launch.buffers[k]);
      if (found == writer.end() || ++arc_count > kMaxArcs) continue;
      const int from = static_cast<int>(found->second) * kRowHeight + kRowHeight / 2;
      const int bend = std::min(20 + (top - from) / 4, 400);
      widest = std::max(widest, bend);
      arcs += fmt::format("<path d=\"M{0} {1} C{2} {1} {2} {3} {0} {3}\" fill=\"none\" stroke=\"#678\"/>\n", kBoxWidth,
                          from, kBoxWidth + bend, top + kRowHeight / 2);
    }
    for (size_t k = 0; k < launch.written_buffers; ++k) writer[launch.buffers[k]] = i;
  }
  return fmt::format("<svg width=\"{}\" height=\"{}\" xmlns=\"http://www.w3.org/2000/svg\">\n{}{}</svg>\n",
                     kBoxWidth + widest + 10, static_cast<int>(count) * kRowHeight + 2, boxes, arcs);
}

}  // namespace

Result<std::string> print_html(const Explanation& explanation, const std::string& title) {
  std::string text = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>\n{1}</head><body>\n"
      "<h1>{0}</h1>\n",
      escaped(title), kStyle);
  text += fmt::format("<p>{} kernels, at least {} one after the other on an RX 7900 XTX.</p>\n",
                      explanation.kernels.size(), print_seconds(explanation.total_seconds));
  text += print_rows(explanation);
  text += "<h2>What feeds what</h2>\n" + print_flow(explanation);
  text += "<h2>Kernels</h2>\n";
  for (size_t i = 0; i < explanation.kernels.size(); ++i) {
    const KernelFacts& facts = explanation.kernels[i];
    const auto shown = [](const std::string& listing) { return listing.empty() ? Listing::kNone : Listing::kShown; };
    BW_ASSIGN(const std::string report,
              print_kernel_report(explanation, i, {shown(facts.code.assembly), shown(facts.code.llvm_ir)}));
    text += fmt::format("<details id=\"k{}\"><summary>{}: {}</summary><pre>{}</pre></details>\n", i, i,
                        escaped(facts.name), escaped(report));
  }
  return text + "</body></html>\n";
}

}  // namespace bw::compiler::explain
