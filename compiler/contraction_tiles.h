// Owns: the index arithmetic of a matrix product through LDS tiles: which elements each lane stages and where in LDS
// they go, where it finds the fragments that it multiplies, which elements of the output it holds. Expressions of the
// kernel, with the ranges replaced by workgroup, lane and step. Not here: code (compiler/contraction_emit.h).
//
// LDS. For WMMA: units of 16 bytes along the depth, [chunk][position], where the stride of a chunk is padded so that
// both the stores of a staging wave, which go over a few chunks, and the loads of fragments, which go over positions,
// meet each bank once. Rows and columns of operands that are not contiguous along the depth lie interleaved. With
// T = wave / 16 WMMA tiles, T * r + t is position 16 * t + r: T neighbours go to different tiles, and a lane that
// stages T of them stores without conflicts. Others are staged one by one: rows where they are, and column 16 * t + 8 *
// h + i at position 16 * t + 2 * i + h, so that the eight registers of a lane's result are neighbours of the output.
// For FMA: [depth][position]; where an operand is contiguous along the depth, the position is XORed with a number that
// changes with the depth, since a staging wave then stores columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "amdgpu/gfx11/limits.h"
#include "compiler/contraction_match.h"
#include "compiler/kernel_form.h"
#include "ir/kernel.h"

namespace bw::compiler {

enum class Side : uint8_t { kRows, kColumns };

// What one lane stages of an operand in one pass.
struct StagedPart {
  struct Store {
    ir::NodePtr offset_bytes;
    std::vector<size_t> elements;  // neighbours in LDS, as indices of `elements`
  };
  std::vector<ir::NodePtr> elements;  // of staged_dtype()
  std::vector<Store> stores;
};

// Neighbouring elements of the output that one lane holds.
struct OutputGroup {
  struct Element {
    ir::NodePtr inside;  // whether there is such an element; null: always
    ir::NodePtr index;
    ir::NodePtr value;
  };
  ir::NodePtr inside;  // the same for all; null: always
  std::vector<Element> elements;
};

class ContractionTiles {
 public:
  static constexpr uint32_t kWave = amdgpu::gfx11::kWaveLanes;
  static constexpr uint32_t kTile = 16;   // WMMA multiplies 16 x 16 x 16
  static constexpr uint32_t kLanesM = 4;  // FMA: how the lanes of a wave cover its part
  static constexpr uint32_t kLanesN = 8;

  ContractionTiles(const ir::Kernel& kernel, const Contraction& contraction, const ContractionForm& form);

  ir::KernelBuilder& builder() { return b_; }
  // Stand-ins of what is known when the kernel runs: the numbers of the lane, the step along the depth, the workgroup.
  const ir::NodePtr& lane() const { return lane_; }
  const ir::NodePtr& step() const { return step_; }
  const ir::NodePtr& group(Side side) const { return side == Side::kRows ? rows_.group : columns_.group; }
  const ir::NodePtr& batch() const { return batch_; }  // null where there is none

  uint32_t lanes() const { return lanes_; }
  bool is_wmma() const { return form_.unit != ProductUnit::kFma; }
  ir::DType staged_dtype(Side side) const { return this->side(side).dtype; }
  // WMMA tiles of a wave along a side, or elements of a lane.
  uint32_t tiles(Side side) const;
  uint32_t lds_bytes() const { return buffer_bytes_ * form_.buffers; }
  uint32_t buffer_bytes() const { return buffer_bytes_; }
  uint32_t vector_elements() const { return vector_; }  // FMA: of a fragment load

  // The parts of all operands, over all passes of the workgroup.
  std::vector<StagedPart> stage();
  // WMMA: bytes into LDS of the 16-byte chunk `part` of the fragment of a tile at depth `k`.
  // FMA: of the vector of elements that starts with the lane's element `tile`.
  ir::NodePtr fragment(Side side, size_t operand, uint32_t tile, uint32_t k, uint32_t part);

  // The elements of the output that a lane holds. Accumulators stand in them as loads of accumulator_param(product) at
  // the accumulator's number: tile_m * tiles(kColumns) + tile_n, and for WMMA that times 8 plus the register.
  std::vector<OutputGroup> outputs();
  static bool is_accumulator(const ir::Node& node);
  static size_t accumulator_product(const ir::Node& load);

 private:
  // WMMA: which row or column of the block lies at a position of LDS; the comment above.
  enum class Order : uint8_t { kInterleaved, kInPlace, kByRegister };
  struct SideState {
    uint32_t block = 0;
    uint32_t wave = 0;
    ir::Dim extent;
    ir::NodePtr range;  // of the kernel
    ir::NodePtr group;
    ir::NodePtr wave_number;
    ir::DType dtype = ir::DType::kF32;
    std::vector<ir::NodePtr> operands;  // as the unit takes them
    std::vector<bool> along_depth;      // per operand: contiguous along the depth
    std::vector<uint32_t> lds_offsets;
    Order order = Order::kInterleaved;
    // The last block begins early enough to end with the extent, so that no access has to be kept within it. What it
    // has in common with the block before, that one stores.
    bool begins_early = false;
  };
  struct Guarded {
    std::vector<ir::NodePtr> indices;  // within the extent
    std::vector<ir::NodePtr> inside;   // null: always
  };

  void make_side(SideState& side, const std::vector<ir::NodePtr>& operands);
  bool can_begin_early(const SideState& side) const;
  // The block's first row or column of the whole output, in units of `factor` of them.
  ir::NodePtr block_start(const SideState& side, uint32_t factor);
  // neighbours() of a quotient that counts from the block's start.
  Guarded in_block(const SideState& side, const ir::NodePtr& quotient, uint32_t factor);
  // Whether an element of the output is the block's to store; null: always.
  ir::NodePtr is_own(const SideState& side, const ir::NodePtr& index);
  const SideState& side(Side side) const { return side == Side::kRows ? rows_ : columns_; }
  bool is_along_depth(const SideState& side, const ir::NodePtr& operand);
  // quotient * factor + 0..factor-1, cut off at the extent. `quotient` counts from the start of the tensor.
  Guarded neighbours(const ir::NodePtr& quotient, uint32_t factor, const ir::Dim& extent, uint32_t block);
  ir::NodePtr at(const SideState& side, const ir::NodePtr& operand, const ir::NodePtr& index, const ir::NodePtr& depth);
  StagedPart stage_along_depth(const SideState& side, size_t operand, uint32_t pass);
  StagedPart stage_along_side(const SideState& side, size_t operand, uint32_t pass);
  void add_elements(const SideState& side, size_t operand, const Guarded& indices, const Guarded& depth,
                    StagedPart& part);
  uint32_t passes(const SideState& side, size_t operand) const;
  // FMA: how many chunks of depth are told apart by what their positions are XORed with, and the step between these.
  std::pair<uint32_t, uint32_t> swizzle(const SideState& side) const;
  uint32_t chunk_stride(const SideState& side) const;
  uint32_t depth_run(const SideState& side, size_t operand) const;
  uint32_t side_run(const SideState& side, size_t operand) const;
  OutputGroup output_group(const ir::NodePtr& row, const std::vector<ir::NodePtr>& columns,
                           const std::vector<int64_t>& accumulators);
  // Which row or column of the block lies at a position; WMMA only.
  ir::NodePtr at_position(const SideState& side, const ir::NodePtr& position);
  std::vector<OutputGroup> wmma_outputs();
  std::vector<OutputGroup> fma_outputs();
  ir::NodePtr wave_start(const SideState& side);  // its first row or column, of the whole output
  ir::NodePtr inside(const ir::NodePtr& index, const ir::Dim& extent);
  ir::NodePtr conjunction(const ir::NodePtr& a, const ir::NodePtr& b);
  ir::NodePtr rebuild(const ir::NodePtr& node, std::unordered_map<const ir::Node*, ir::NodePtr>& known);

  const ir::Kernel& kernel_;
  const Contraction& contraction_;
  const ContractionForm form_;
  ir::KernelBuilder b_;
  uint32_t lanes_;
  uint32_t vector_ = 1;
  uint32_t buffer_bytes_ = 0;
  ir::NodePtr lane_;
  ir::NodePtr step_;
  ir::NodePtr batch_;
  ir::NodePtr wave_;  // the lane's wave
  SideState rows_;
  SideState columns_;
};

// Whether the workgroup's lanes divide all of its work evenly, as the tiles need it; `staged_bytes` is the size of an
// element in LDS.
bool is_valid_form(const ContractionForm& form, uint32_t staged_bytes);

// An index without the constant that it adds, null where nothing is left, and that constant.
std::pair<ir::NodePtr, int64_t> split_constant(const ir::NodePtr& index);

}  // namespace bw::compiler
