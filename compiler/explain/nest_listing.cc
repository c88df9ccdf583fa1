#include "compiler/explain/nest_listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "amdgpu/gfx11/limits.h"
#include "compiler/attention_pattern.h"
#include "compiler/contraction_match.h"
#include "compiler/contraction_tiles.h"
#include "ir/ranges.h"
#include "ir/text.h"
#include "ir/text_names.h"

namespace bw::compiler::explain {
namespace {

using ir::NodePtr;
using ir::RangeKind;

constexpr uint32_t kWave = amdgpu::gfx11::kWaveLanes;
constexpr uint32_t kWmma = 16;  // rows, columns and depth of a v_wmma
constexpr std::string_view kSideBySide = "side by side";

const ir::RangeAttr& attr_of(const NodePtr& range) {
  return range->attr<ir::RangeAttr>();
}

std::string range_name(const NodePtr& range) {
  return fmt::format("{}{}", ir::kRangeKindNames[static_cast<size_t>(attr_of(range).kind)], attr_of(range).id);
}

// Of the largest extent, where it is symbolic.
std::string ceil_of(const ir::Dim& dim, int64_t divisor) {
  const int64_t count = (dim.max() + divisor - 1) / divisor;
  if (dim.is_static()) return fmt::format("{}", count);
  return divisor == 1 ? ir::print_dim(dim) : fmt::format("ceil(({}) / {})", ir::print_dim(dim), divisor);
}

class NestListing {
 public:
  NestListing(const KernelPart& part, const ir::KernelRanges& ranges) : part_(part), ranges_(ranges) {}

  Result<std::string> run() {
    open_workgroups();
    if (const auto* tiles = std::get_if<ContractionForm>(&part_.form)) {
      BW_RETURN_IF_ERROR(print_tiles(*tiles));
    } else if (const auto* attention = std::get_if<AttentionForm>(&part_.form)) {
      BW_RETURN_IF_ERROR(print_attention(*attention));
    } else {
      print_lanes(std::get<LaneForm>(part_.form));
    }
    return std::move(text_);
  }

 private:
  using Body = std::function<void()>;

  void line(const std::string& what, std::string_view note = "") {
    std::string whole = std::string(2 * depth_, ' ') + what;
    if (!note.empty()) whole += fmt::format("{:{}}  # {}", "", whole.size() < 40 ? 40 - whole.size() : 0, note);
    text_ += whole + "\n";
  }
  void loop(std::string_view name, const std::string& end, std::string_view note, const Body& body) {
    line(fmt::format("for {} in 0..{}", name, end), note);
    ++depth_;
    body();
    --depth_;
  }
  void loop(std::string_view name, int64_t end, std::string_view note, const Body& body) {
    loop(name, fmt::format("{}", end), note, body);
  }

  void open_workgroups() {
    for (size_t axis = 3; axis-- > 0;) {
      const auto is_along = [&](const NodePtr& range) {
        return attr_of(range).kind == static_cast<RangeKind>(static_cast<size_t>(RangeKind::kGlobalX) + axis);
      };
      const auto range = std::ranges::find_if(ranges_.ranges, is_along);
      if (range == ranges_.ranges.end()) continue;
      line(fmt::format("for workgroup_{} in 0..{}", "xyz"[axis], ceil_of(part_.grid[axis], part_.group_extent[axis])),
           fmt::format("{} of {} each", part_.group_extent[axis], range_name(*range)));
      ++depth_;
    }
  }

  // Lanes that go through the kernel's loops, alone or in groups.
  void print_lanes(const LaneForm& form) {
    const uint32_t lanes = part_.kernel.workgroup_size;
    const uint32_t group = ir::group_size(part_.kernel);
    std::string place = "a place each";
    if (group > 1) place = fmt::format("{} lanes to a place", group);
    if (group > 1 && form.groups == LaneForm::Groups::kStrided) {
      place += fmt::format(", {} lanes apart", lanes / group);
    }
    const auto body = [&] {
      loop("lane", std::min(lanes, kWave), fmt::format("{}, {}", kSideBySide, place), [&] { print_stores(form); });
    };
    if (lanes <= kWave) return body();
    loop("wave", (lanes + kWave - 1) / kWave, kSideBySide, body);
  }

  void print_stores(const LaneForm& form) {
    uint64_t given = 0;
    for (const NodePtr& range : ranges_.ranges) {
      const RangeKind kind = attr_of(range).kind;
      if (kind != RangeKind::kLoop && kind != RangeKind::kUnroll) given |= ranges_.bit(range.get());
    }
    print_reductions(part_.kernel.stores, given, form);
    std::vector<uint64_t> done;
    for (const NodePtr& store : part_.kernel.stores) {
      const uint64_t loops = ranges_.free.at(store.get()) & ~given;
      if (std::ranges::find(done, loops) != done.end()) continue;
      done.push_back(loops);
      std::vector<NodePtr> same;
      for (const NodePtr& other : part_.kernel.stores) {
        if ((ranges_.free.at(other.get()) & ~given) == loops) same.push_back(other);
      }
      in_loops(loops, [&] {
        print_reductions(same, given | loops, form);
        line(same.size() == 1 ? "store" : fmt::format("store {} elements", same.size()));
      });
    }
  }

  void in_loops(uint64_t loops, const Body& body) {
    for (const NodePtr& range : ranges_.ranges) {
      if ((loops & ranges_.bit(range.get())) == 0 || attr_of(range).kind == RangeKind::kGroup) continue;
      const std::string_view note = attr_of(range).kind == RangeKind::kUnroll ? "written out" : "";
      return loop(range_name(range), ir::print_dim(attr_of(range).extent), note,
                  [&] { in_loops(loops & ~ranges_.bit(range.get()), body); });
    }
    body();
  }

  // The reductions below `roots` that can be carried out where the loops of `active` are open, each once; those over
  // the same ranges that do not need each other in one nest.
  void print_reductions(const std::vector<NodePtr>& roots, uint64_t active, const LaneForm& form) {
    for (const NodePtr& first : ir::topological_order(roots)) {
      if (!ir::is_reduce(first->op) || printed_.contains(first.get())) continue;
      if ((ranges_.free.at(first.get()) & ~active) != 0) continue;
      std::vector<NodePtr> values;
      std::vector<NodePtr> together;
      for (const NodePtr& other : ir::topological_order(roots)) {
        const bool same = ir::is_reduce(other->op) && !printed_.contains(other.get()) &&
                          (ranges_.free.at(other.get()) & ~active) == 0 && is_over_same(*first, *other);
        if (!same || (other != first && needs_any(other, together))) continue;
        together.push_back(other);
        values.push_back(other->inputs[0]);
      }
      uint64_t consumed = 0;
      for (size_t i = 1; i < first->inputs.size(); ++i) consumed |= ranges_.bit(first->inputs[i].get());
      for (const NodePtr& each : together) printed_.insert(each.get());
      in_loops(consumed, [&] {
        print_reductions(values, active | consumed, form);
        line(accumulations(together));
      });
      print_exchange(together, consumed, form);
    }
  }

  static bool is_over_same(const ir::Node& a, const ir::Node& b) {
    return std::equal(a.inputs.begin() + 1, a.inputs.end(), b.inputs.begin() + 1, b.inputs.end());
  }
  static bool needs_any(const NodePtr& node, const std::vector<NodePtr>& others) {
    const std::vector<NodePtr> below = ir::topological_order(std::span(&node, 1));
    return std::ranges::any_of(
        others, [&](const NodePtr& other) { return other != node && std::ranges::find(below, other) != below.end(); });
  }
  static std::string accumulations(const std::vector<NodePtr>& reductions) {
    std::map<std::string_view, size_t> counts;
    for (const NodePtr& reduction : reductions) ++counts[ir::name(reduction->op)];
    std::string text = "accumulate ";
    for (const auto& [op, count] : counts) {
      text += fmt::format("{}{}{}", text.ends_with(' ') ? "" : ", ", count == 1 ? "" : fmt::format("{} x ", count), op);
    }
    return text;
  }

  // How the lanes of a group combine what they have.
  void print_exchange(const std::vector<NodePtr>& reductions, uint64_t consumed, const LaneForm& form) {
    const auto is_group = [&](const NodePtr& range) {
      return attr_of(range).kind == RangeKind::kGroup && (consumed & ranges_.bit(range.get())) != 0;
    };
    const uint32_t group = ir::group_size(part_.kernel);
    if (group == 1 || std::ranges::none_of(ranges_.ranges, is_group)) return;
    const uint32_t lanes = part_.kernel.workgroup_size;
    for (const NodePtr& reduction : reductions) {
      const std::string what(ir::name(reduction->op));
      if (form.groups == LaneForm::Groups::kStrided) {
        line(fmt::format("fill LDS: {} partial results", lanes), "one of each lane");
        line("barrier");
        line(fmt::format("combine {} from LDS: {} of each place", what, group));
        continue;
      }
      line(fmt::format("combine {} among {} lanes", what, std::min(group, kWave)), "DPP, v_readlane");
      if (group <= kWave) continue;
      line(fmt::format("fill LDS: {} partial results", lanes / kWave), "one of each wave");
      line("barrier");
      line(fmt::format("combine {} from LDS: {} of each place", what, group / kWave));
    }
  }

  // A matrix product through tiles in LDS.
  Status print_tiles(const ContractionForm& form) {
    const std::optional<Contraction> contraction = match_contraction(part_.kernel);
    if (!contraction) {
      return error(StatusCode::kInvalidArgument, "kernel {} is no matrix product", part_.kernel.name);
    }
    const ContractionTiles tiles(part_.kernel, *contraction, form);
    const std::string lanes = fmt::format("by {} lanes", form.lanes());
    line(fmt::format("LDS: {} bytes", tiles.lds_bytes()),
         fmt::format("{} buffer{} of {} x {} rows, {} x {} columns", form.buffers, form.buffers == 1 ? "" : "s",
                     form.block_m, form.block_k, form.block_k, form.block_n));
    const bool ahead = form.loads == ContractionForm::Loads::kAhead;
    if (ahead) line("load step 0 into registers", lanes);
    loop("step", ceil_of(depth_extent(*contraction), form.block_k),
         fmt::format("{} of the depth each{}", form.block_k, form.buffers > 1 ? ", two in a turn of the loop" : ""),
         [&] {
           if (!ahead) line("load the step into registers", lanes);
           line(form.buffers > 1 ? "fill LDS[step % 2] from registers" : "fill LDS from registers", lanes);
           line("barrier");
           if (ahead) line("load step + 1 into registers", lanes + ", while this step is multiplied");
           print_waves(form, [&] { print_multiply(form, tiles, contraction->products.size()); });
           if (form.buffers == 1) line("barrier", "before LDS is filled again");
         });
    print_waves(form, [&] { in_tile(form, tiles, [&] { line("store"); }); });
    return Status::ok();
  }

  void print_waves(const ContractionForm& form, const Body& body) {
    loop("wave_y", form.block_m / form.wave_m, fmt::format("{} rows each, {}", form.wave_m, kSideBySide), [&] {
      loop("wave_x", form.block_n / form.wave_n, fmt::format("{} columns each, {}", form.wave_n, kSideBySide), body);
    });
  }

  void print_multiply(const ContractionForm& form, const ContractionTiles& tiles, size_t products) {
    const std::string count = products == 1 ? "" : fmt::format(", {} products", products);
    const uint32_t depth = tiles.is_wmma() ? kWmma : 1;
    loop("k", form.block_k / depth, fmt::format("{} of the depth each, written out", depth), [&] {
      line(fmt::format("load fragments from LDS: {} of rows, {} of columns", tiles.tiles(Side::kRows),
                       tiles.tiles(Side::kColumns)));
      in_tile(form, tiles, [&] { line((tiles.is_wmma() ? "v_wmma 16x16x16" : "multiply and add") + count); });
    });
  }

  // Over the v_wmma tiles of a wave; or lane by lane, over its elements.
  void in_tile(const ContractionForm& form, const ContractionTiles& tiles, const Body& body) {
    const uint32_t rows = tiles.tiles(Side::kRows);
    const uint32_t columns = tiles.tiles(Side::kColumns);
    const auto inner = [&] {
      loop("tile_m", rows, tiles.is_wmma() ? "16 rows each, written out" : "written out",
           [&] { loop("tile_n", columns, tiles.is_wmma() ? "16 columns each, written out" : "written out", body); });
    };
    if (tiles.is_wmma()) return inner();
    loop("lane", kWave, fmt::format("{}: {} x {} of them", kSideBySide, form.wave_m / rows, form.wave_n / columns),
         inner);
  }

  // Online softmax; LDS and barriers are those of compiler/attention_emit.h.
  Status print_attention(const AttentionForm& form) {
    const std::optional<AttentionPattern> pattern = find_attention(part_.kernel, ranges_);
    if (!pattern) return error(StatusCode::kInvalidArgument, "kernel {} is no attention", part_.kernel.name);
    const std::string rows = fmt::format("{}", form.queries);
    const std::string elements = ir::print_dim(attr_of(pattern->element).extent);
    line(fmt::format("fill LDS: queries, {} x {}", form.queries, elements), "by all lanes");
    line("barrier");
    loop("wave", form.waves, kSideBySide, [&] {
      loop("block", ceil_of(attr_of(pattern->position).extent, int64_t{kWave} * form.waves),
           fmt::format("{} positions each{}", kWave,
                       pattern->last == nullptr ? "" : ", as far as any row of the workgroup sees"),
           [&] {
             loop("lane", kWave, fmt::format("{}, a position each", kSideBySide), [&] {
               loop(range_name(pattern->element), elements, "",
                    [&] { loop("row", rows, "written out", [&] { line("multiply key and query"); }); });
               loop("row", rows, "written out", [&] {
                 line("largest score among lanes", "DPP, v_readlane");
                 line("rescale sums, fill LDS: weight", "of this wave: no barrier");
               });
             });
             loop("position", kWave, "", [&] {
               loop("lane", kWave, fmt::format("{}, columns each", kSideBySide),
                    [&] { loop("row", rows, "written out", [&] { line("add weight times value"); }); });
             });
           });
    });
    line("fill LDS: largest scores, sums of weights", "one of each wave and row");
    line("barrier");
    line("fill LDS: weighted sums", "as many rows at a time as fit, barriers between");
    line("barrier");
    line("add up over waves, store");
    return Status::ok();
  }

  const KernelPart& part_;
  const ir::KernelRanges& ranges_;
  std::unordered_set<const ir::Node*> printed_;
  size_t depth_ = 0;
  std::string text_;
};

}  // namespace

Result<std::string> print_nest(const KernelPart& part) {
  BW_ASSIGN(const ir::KernelRanges ranges, ir::find_ranges(part.kernel));
  return NestListing(part, ranges).run();
}

}  // namespace bw::compiler::explain
