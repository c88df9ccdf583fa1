// Owns: the gfx1100 instruction set as data: encodings, their fields, operand codes, and one row per encoding and
// opcode. The values are generated from tools/gen/tables; this file gives them their types. Not here: decoding
// (decode.h) and what an instruction does (emulator/shader).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "amdgpu/gfx11/isa_enums.h"
#include "base/bits.h"

namespace bw::amdgpu::gfx11 {

// Classes of operand codes; the bits of OperandInfo::accepts.
enum AcceptBits : uint16_t {
  kAccept_v = 1 << 0,  // VGPR
  kAccept_s = 1 << 1,  // SGPR
  kAccept_vcc = 1 << 2,
  kAccept_ttmp = 1 << 3,
  kAccept_null = 1 << 4,
  kAccept_m0 = 1 << 5,
  kAccept_exec = 1 << 6,
  kAccept_ii = 1 << 7,   // inline integer 0..64
  kAccept_in = 1 << 8,   // inline integer -1..-16
  kAccept_if = 1 << 9,   // inline float
  kAccept_sh = 1 << 10,  // aperture registers (src_shared_base and the like)
  kAccept_scc = 1 << 11,
  kAccept_lit = 1 << 12,  // literal dword
};

enum class OperandKind : uint8_t {
  kUnused,  // a field of the encoding without meaning for this instruction
  kVgpr,
  kScalar,    // scalar register code
  kSource,    // VGPR, scalar register or constant
  kLaneMask,  // scalar registers, one bit a lane: 32 bits in wave32, 64 in wave64
  kImmediate,
};

struct OperandInfo {
  enum AccessBits : uint8_t { kRead = 1, kWrite = 2 };

  Field field;
  OperandKind kind;
  NumberFormat format;
  uint8_t access;    // AccessBits
  uint16_t bits;     // width; 0: the wave size. 16-bit operands live in 32-bit registers
  uint16_t accepts;  // AcceptBits; 0: not known
};

struct InstructionInfo {
  enum FlagBits : uint16_t {
    kMayLoad = 1 << 0,
    kMayStore = 1 << 1,
    kBranch = 1 << 2,
    kTerminator = 1 << 3,
    kCall = 1 << 4,
    kReturn = 1 << 5,
    kLiteral = 1 << 6,  // a source may be a literal dword
    kDpp = 1 << 7,      // source 0 may go through DPP16 or DPP8
    kVopdX = 1 << 8,    // VOPD: usable as X half (every row is usable as Y half)
    kReadsVcc = 1 << 9,
    kReadsM0 = 1 << 10,
    kReadsScc = 1 << 11,
    kWritesVcc = 1 << 12,
    kWritesScc = 1 << 13,
    kWritesExec = 1 << 14,
  };

  Encoding encoding;
  uint16_t opcode;
  Op op;
  const char* name;      // AMD's mnemonic
  const char* mnemonic;  // as LLVM prints it, with the suffix of the encoding
  uint16_t first_operand;
  uint8_t operand_count;
  uint16_t flags;
  uint32_t modifiers;  // ModifierBits

  std::span<const OperandInfo> operands() const;
  const OperandInfo* operand(Field field) const;  // nullptr if there is none of this field
  bool has(FlagBits flag) const { return (flags & flag) != 0; }
};

enum class FieldKind : uint8_t {
  kVgpr8,
  kSource9,
  kScalar8,
  kScalar7,
  kScalarPair,
  kScalarQuad,
  kOpcode,
  kBits,
  kFixed,
  kVdstY
};

// Bits hi..lo of the instruction, bit 0 the least significant of its first dword (of the extra dword for extra dwords).
struct FieldLayout {
  Field field;
  FieldKind kind;
  uint8_t hi;
  uint8_t lo;
};

struct EncodingLayout {
  const char* name;
  uint32_t mask;  // dword 0 & mask == value
  uint32_t value;
  uint8_t size_dwords;
  uint16_t first_field;
  uint16_t end_field;

  std::span<const FieldLayout> fields() const;
};

struct ExtraDwordLayout {
  uint16_t first_field;
  uint16_t end_field;

  std::span<const FieldLayout> fields() const;
};

// Operand codes that decoding and execution name. Source: operand_codes.csv.
enum OperandCode : uint16_t {
  kCodeVccLo = 106,
  kCodeVccHi = 107,
  kCodeTtmp0 = 108,
  kCodeNull = 124,
  kCodeM0 = 125,
  kCodeExecLo = 126,
  kCodeExecHi = 127,
  kCodeInlineZero = 128,      // .. 192: integers 0..64
  kCodeInlineMinusOne = 193,  // .. 208: integers -1..-16
  kCodeInlineLast = 208,
  kCodeDpp8 = 233,
  kCodeDpp8FetchInactive = 234,
  kCodeSharedBase = 235,
  kCodeSharedLimit = 236,
  kCodePrivateBase = 237,
  kCodePrivateLimit = 238,
  kCodeInlineFloat = 240,  // .. 248: 0.5 -0.5 1 -1 2 -2 4 -4 1/(2 pi)
  kCodeInlineFloatLast = 248,
  kCodeDpp16 = 250,
  kCodeScc = 253,
  kCodeLiteral = 255,
  kCodeVgpr0 = 256,
};

constexpr size_t kSgprCount = 106;
constexpr size_t kVgprCount = 256;

// Fields of the MODE register. The low byte is FLOAT_MODE of COMPUTE_PGM_RSRC1. Source: RDNA3 ISA guide, "Mode
// register".
struct MODE {
  static constexpr BitField round_f32{1, 0};
  static constexpr BitField round_f16_f64{3, 2};
  static constexpr BitField denorm_f32{5, 4};
  static constexpr BitField denorm_f16_f64{7, 6};
  static constexpr BitField dx10_clamp{8, 8};
  static constexpr BitField ieee{9, 9};
  static constexpr BitField fp16_ovfl{23, 23};
  static constexpr BitField float_mode{7, 0};
};

// The operand of s_getreg and s_setreg.
struct HwRegOperand {
  static constexpr BitField id{5, 0};
  static constexpr BitField offset{10, 6};
  static constexpr BitField width_minus_1{15, 11};
};

// The immediate of s_waitcnt: instructions that may be outstanding, by counter. Source: LLVM's AMDGPUBaseInfo for
// gfx11.
struct WaitcntOperand {
  static constexpr BitField expcnt{2, 0};
  static constexpr BitField lgkmcnt{9, 4};
  static constexpr BitField vmcnt{15, 10};
};

// The immediate of s_waitcnt_depctr: what may be under way inside the wave. Source: LLVM's AMDGPUAsmUtils for gfx11.
struct DepctrOperand {
  static constexpr BitField sa_sdst{0, 0};
  static constexpr BitField va_vcc{1, 1};
  static constexpr BitField vm_vsrc{4, 2};
  static constexpr BitField va_ssrc{8, 8};
  static constexpr BitField va_sdst{11, 9};
  static constexpr BitField va_vdst{15, 12};
};

std::span<const InstructionInfo> instructions();
const EncodingLayout& layout(Encoding encoding);
// nullptr if the encoding has no such opcode on gfx1100.
const InstructionInfo* find_instruction(Encoding encoding, uint32_t opcode);
const char* name(Op op);
// AcceptBits of one 9-bit source code; 0: reserved, or a DPP marker.
uint16_t code_category(uint32_t code);

namespace tables {  // generated
extern const OperandInfo kOperands[];
extern const InstructionInfo kInstructions[];
extern const size_t kInstructionCount;
extern const FieldLayout kFieldLayouts[];
extern const EncodingLayout kEncodings[];
extern const ExtraDwordLayout kLiteralLayout;
extern const ExtraDwordLayout kDpp16Layout;
extern const ExtraDwordLayout kDpp8Layout;
extern const ExtraDwordLayout kNsaLayout;
extern const uint16_t kFirstSlot[];
extern const uint16_t kRowOfSlot[];
extern const uint16_t kCodeCategory[];
extern const char* const kOpNames[];
}  // namespace tables

}  // namespace bw::amdgpu::gfx11
