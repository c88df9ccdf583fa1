#!/usr/bin/env python3
"""Generates the tables that amdgpu/gfx11/text writes packets and registers out with.

usage: gen_packet_text.py TABLES_DIR OUT_FILE

Reads pm4.csv, pm4_fields.csv, sdma.csv, registers.csv and enums.csv of TABLES_DIR and writes one .cc file with the rows
that amdgpu/gfx11/text/packet_rows.h declares. Which packets and registers there are is gen_packets.py's to say. Here
stands only how they are written out: which halves make one value, which readings of a dword hold when, what is shown
although it is zero.
"""

import re
import sys
from pathlib import Path

from gen_packets import OTHER_REGISTERS, SDMA_OPCODES, SDMA_PACKETS, identifier, read, values_of

# Values of two parts whose names do not say so: packet -> {name: (low part, high part)}.
MERGES = {
    "COPY_DATA": {"src_addr": ("src_32b_addr_lo", "src_memtc_addr_hi"), "dst_addr": ("dst_32b_addr_lo", "dst_addr_hi"),
                  "imm_data": ("imm_data", "src_imm_data")},
    "RELEASE_MEM": {"address": ("address_lo_32b", "address_hi")},
    "DMA_DATA": {"src_addr": ("src_addr_lo_or_data", "src_addr_hi"), "data": ("src_addr_lo_or_data", None)},
    "WAIT_REG_MEM64": {"reference": ("reference", "reference_hi"), "mask": ("mask", "mask_hi")},
    "ACQUIRE_MEM": {"coher_size": ("coher_size", "coher_size_hi"), "coher_base": ("coher_base_lo", "coher_base_hi")},
    "gcr_req": {"base_va": ("base_va_31_7", "base_va_47_32"), "limit_va": ("limit_va_31_7", "limit_va_47_32")},
}
# Merged values that count units of 1 << shift bytes (Linux nvd.h, PAL: the ranges of ACQUIRE_MEM).
UNIT_SHIFTS = {("ACQUIRE_MEM", "coher_size"): 8, ("ACQUIRE_MEM", "coher_base"): 8}
# Readings of a dword that hold only for some values of another field: (packet, name) -> (field, values).
CONDITIONS = {
    ("COPY_DATA", "src_reg_offset"): ("src_sel", (0, 4)),
    ("COPY_DATA", "src_addr"): ("src_sel", (1, 2)),
    ("COPY_DATA", "src_gds_addr_lo"): ("src_sel", (3,)),
    ("COPY_DATA", "imm_data"): ("src_sel", (5,)),
    ("COPY_DATA", "dst_reg_offset"): ("dst_sel", (0, 4, 6)),
    ("COPY_DATA", "dst_addr"): ("dst_sel", (2, 5)),
    ("COPY_DATA", "dst_gds_addr_lo"): ("dst_sel", (3,)),
    ("RELEASE_MEM", "data"): ("data_sel", (1, 2, 7)),
    ("RELEASE_MEM", "cmp_data"): ("int_sel", (5, 6)),
    ("RELEASE_MEM", "dw_offset"): ("data_sel", (5,)),
    ("RELEASE_MEM", "num_dwords"): ("data_sel", (5,)),
    ("RELEASE_MEM", "int_ctxid"): ("int_sel", (1, 2, 3, 4, 5, 6)),
    ("WAIT_REG_MEM", "mem_poll_addr"): ("mem_space", (1,)),
    ("WAIT_REG_MEM", "reg_poll_addr"): ("mem_space", (0,)),
    ("WAIT_REG_MEM", "reg_write_addr2"): ("operation", (1,)),
    ("WAIT_REG_MEM64", "mem_poll_addr"): ("mem_space", (1,)),
    ("WAIT_REG_MEM64", "reg_poll_addr"): ("mem_space", (0,)),
    ("WAIT_REG_MEM64", "reg_write_addr2"): ("operation", (1,)),
    ("WRITE_DATA", "dst_mmreg_addr"): ("dst_sel", (0, 6)),
    ("WRITE_DATA", "dst_gds_addr"): ("dst_sel", (3,)),
    ("WRITE_DATA", "dst_mem_addr"): ("dst_sel", (2, 5)),
    ("DMA_DATA", "src_addr"): ("src_sel", (0, 3)),
    ("DMA_DATA", "data"): ("src_sel", (2,)),
}
# Packets that may end earlier: an event without an address has 2 dwords.
SHORTER = {"EVENT_WRITE"}
# What another row says already.
DROPPED = {("WAIT_REG_MEM", "reg_write_addr1"), ("WAIT_REG_MEM64", "reg_write_addr1"), ("ACQUIRE_MEM", "gcr_cntl"),
           ("RELEASE_MEM", "gcr_cntl"), ("COPY_DATA", "src_64b_addr_lo"), ("COPY_DATA", "dst_64b_addr_lo"),
           ("RELEASE_MEM", "address_lo_64b"), ("gcr_req", "gcr_control_15_0"), ("gcr_req", "gcr_control_18_16")}
# Counts less one, under the name of what they count (ROCr's blit_sdma has those of sub-windows so).
COUNTS_LESS_ONE = {("copy_linear", "count"): "bytes", ("constant_fill", "count"): "bytes",
                   ("write_untiled", "count"): "dwords"}
COUNTS_LESS_ONE |= {("copy_linear_subwin", name): name for name in
                    ("src_pitch", "src_slice_pitch", "dst_pitch", "dst_slice_pitch", "rect_x", "rect_y", "rect_z")}
ALWAYS = {"function", "func", "src_sel", "dst_sel", "data", "reference", "value", "mask", "imm_data", "event_type",
          "atomic", "atomic_op", "int_context", "int_ctxid", "ib_size", "exec_count", "byte_count", "dim_x", "dim_y",
          "dim_z", "rect_x", "rect_y", "rect_z", "src_data"}
# Addresses that packets without one leave zero.
OPTIONAL = {("EVENT_WRITE", "address"), ("RELEASE_MEM", "address"), ("indirect", "csa_addr")}
DECIMAL = {"ib_size", "exec_count", "byte_count", "poll_interval", "loop_interval", "interval", "retry_count",
           "num_dwords", "size", "int_ctxid", "int_context", "vmid", "count", "dim_x", "dim_y", "dim_z", "rect_x", "rect_y",
           "rect_z", "src_x", "src_y", "src_z", "dst_x", "dst_y", "dst_z", "src_pitch", "dst_pitch", "src_slice_pitch",
           "dst_slice_pitch", "num_thread_full", "num_thread_partial", "vgprs", "sgprs", "user_sgpr", "lds_size", "waves", "wavesize",
           "inst_pref_size", "waves_per_sh", "tg_per_cu", "lock_threshold", "shared_vgpr_cnt"}
REGISTERS = {"src_reg_offset", "dst_reg_offset", "reg_poll_addr", "reg_write_addr2", "dst_mmreg_addr"}
# Fields whose values enums.csv names.
ENUM_OF = {"event_type": "VGT_EVENT_TYPE", "atomic": "TC_OP", "atomic_op": "TC_OP", "mtype": "MTYPE"}
# Fields that hold a register's bits.
REGISTER_OF = {"dispatch_initiator": "COMPUTE_DISPATCH_INITIATOR"}
# From this dword on a packet is a list of values; SET_*_REG name registers.
TAILS = {"NOP": 1, "WRITE_DATA": 4, "SET_SH_REG": 2, "SET_SH_REG_INDEX": 2, "SET_UCONFIG_REG": 2,
         "SET_UCONFIG_REG_INDEX": 2, "SET_CONFIG_REG": 2, "write_untiled": 4, "nop": 1}
POLL_FUNCTIONS = [(0, "always"), (1, "less"), (2, "less_or_equal"), (3, "equal"), (4, "not_equal"),
                  (5, "greater_or_equal"), (6, "greater")]
FILL_SIZES = [(0, "byte"), (1, "word"), (2, "dword")]

LOW = re.compile(r"(_lo|_31_\d)$")
HIGH = re.compile(r"(_hi|_63_32)$")


class Row:
    """One value of a packet or register: where its parts stand and how it is written."""

    def __init__(self, name, dword, hi, lo, values=()):
        self.name, self.parts, self.values = name, [(int(dword), int(hi), int(lo), 0)], list(values)
        self.shows, self.bias, self.condition, self.is_wide = "kNonzero", 0, None, False

    def bits(self):
        return {(dword, bit) for dword, hi, lo, _ in self.parts for bit in range(lo, hi + 1)}

    def form(self):
        if self.values:
            return "kNamed"
        if self.name in REGISTERS:
            return "kRegister"
        if len(self.parts) == 1 and self.parts[0][1] == self.parts[0][2]:
            return "kFlag"
        return "kDecimal" if self.name in DECIMAL or self.bias else "kHex"


def merge(packet, rows):
    """Joins low and high halves; the low half's place in the order stays."""
    by_name = {row.name: row for row in rows}
    pairs = dict(MERGES.get(packet, {}))
    named = {part for pair in pairs.values() for part in pair}
    for row in rows:
        stem = LOW.sub("", row.name)
        if stem == row.name or row.name in named:
            continue
        high = next((r.name for r in rows if HIGH.search(r.name) and HIGH.sub("", r.name) == stem), None)
        if high is not None:
            pairs[stem] = (row.name, high)
    halves = {part for pair in pairs.values() for part in pair}
    result = []
    for row in rows:
        for name, (low, high) in pairs.items():
            if low != row.name:
                continue
            merged = Row(name, 0, 0, 0)
            shift = UNIT_SHIFTS.get((packet, name), 0)
            dword, hi, lo, _ = by_name[low].parts[0]
            # An address leaves out its lowest bits; other halves stand at the bottom of their dword.
            merged.parts = [(dword, hi, lo, lo + shift)]
            if high is not None:
                dword, hi, lo, _ = by_name[high].parts[0]
                merged.parts.append((dword, hi, lo, 32 + shift))
            merged.is_wide = True
            result.append(merged)
        if row.name not in halves:
            result.append(row)
    return result


def dress(packet, rows):
    """Conditions, names of values, and what is shown when it is zero; drops second readings without a condition."""
    places = {row.name: row.parts[0] for row in rows}
    result, taken = [], set()
    for row in merge(packet, [r for r in rows if (packet, r.name) not in DROPPED]):
        if (packet, row.name) in CONDITIONS:
            field, values = CONDITIONS[(packet, row.name)]
            dword, hi, lo, _ = places[field]
            row.condition = (dword, hi, lo, sum(1 << value for value in values))
        elif row.bits() & taken:
            continue
        else:
            taken |= row.bits()
        if row.name in ALWAYS or (row.is_wide and (packet, row.name) not in OPTIONAL):
            row.shows = "kAlways"
        if (packet, row.name) in COUNTS_LESS_ONE:
            row.name, row.bias, row.shows = COUNTS_LESS_ONE[(packet, row.name)], 1, "kAlways"
        result.append(row)
    return result


class Writer:
    def __init__(self):
        self.text, self.value_arrays = "", {}

    def values(self, values):
        if not values:
            return "{}"
        key = tuple(values)
        if key not in self.value_arrays:
            name = f"kValues{len(self.value_arrays)}"
            self.value_arrays[key] = name
            items = ", ".join(f'{{{value}, "{label}"}}' for value, label in values)
            self.text += f"constexpr ValueName {name}[] = {{{items}}};\n"
        return self.value_arrays[key]

    def rows(self, array, rows):
        """The expression that stands for them."""
        if not rows:
            return "{}"
        lines = ""
        for row in rows:
            parts = ", ".join(f"{{{dword}, {{{hi}, {lo}}}, {shift}}}" for dword, hi, lo, shift in row.parts)
            condition = "{}"
            if row.condition:
                dword, hi, lo, mask = row.condition
                condition = f"{{{dword}, {{{hi}, {lo}}}, {mask:#x}}}"
            lines += (f'    {{"{row.name}", {len(row.parts)}, {{{{{parts}}}}}, {row.bias}, Form::{row.form()}, '
                      f"Shows::{row.shows}, {condition}, {self.values(row.values)}}},\n")
        self.text += f"constexpr ValueRow {array}[] = {{\n{lines}}};\n"
        return array


def register_rows(register, dword=0):
    rows = []
    for field in register["fields"].split():
        label, bits = field.split(":")
        hi, lo = bits.split("-")
        rows.append(Row(identifier(label), dword, hi, lo))
    return rows


def chosen_registers(tables):
    rows = read(tables, "registers.csv")
    chosen = [(r["name"], r) for r in rows if r["name"].startswith("COMPUTE_") and r["set_packet"] == "SET_SH_REG"]
    chosen += [(OTHER_REGISTERS[r["name"]], r) for r in rows if r["name"] in OTHER_REGISTERS]
    # Of two names for a register, the one that SET_CU_MASK's masks go by.
    chosen = [item for item in chosen if not item[0].startswith("COMPUTE_DESTINATION_EN")]
    return sorted(chosen, key=lambda item: int(item[1]["dword_addr"], 16))


def enum_values(tables):
    enums = {}
    for row in read(tables, "enums.csv"):
        if row["enum"] not in ENUM_OF.values() or row["name"].endswith("__GFX10"):
            continue
        found = enums.setdefault(row["enum"], {})
        found.setdefault(int(row["value"]), row["name"].removesuffix("__GFX11"))
    return {name: sorted(found.items()) for name, found in enums.items()}


def pm4_packets(tables, registers, enums):
    """(opcode, sub-opcode, name, dwords, rows) of each packet with a MEC layout, by opcode; of the others without."""
    fields = read(tables, "pm4_fields.csv")
    # The table names the values of GCR_CNTL with ACQUIRE_MEM only.
    gcr_values = {r["field"]: r["values"] for r in fields if r["field"].startswith("gcr_cntl.") and r["values"]}
    found = {}
    for packet in read(tables, "pm4.csv"):
        engines = packet["engines_with_field_rows"].split("+")
        is_mec = "mec" in engines
        rows = []
        for field in fields:
            if field["packet"] != packet["name"] or "mec" not in field["engine"].split("+") or not is_mec:
                continue
            if int(field["dword"]) == TAILS.get(packet["name"]):
                continue
            name = field["field"].removeprefix("gcr_cntl.")
            if name in REGISTER_OF:
                register = next(r for n, r in registers if n == REGISTER_OF[name])
                rows += register_rows(register, field["dword"])
                continue
            values = enums.get(ENUM_OF.get(name), values_of(field["values"] or gcr_values.get(field["field"], "")))
            rows.append(Row(identifier(name), field["dword"], field["hi"], field["lo"], values))
        if packet["name"].startswith("SET_") and packet["name"].endswith(("_REG", "_REG_INDEX")):
            rows = [row for row in rows if row.name != "reg_offset"]  # the names of the registers say it
        rows.sort(key=lambda row: row.parts[0][0])
        dwords = packet["dwords"].split("/")[engines.index("mec")] if is_mec else ""
        if packet["name"] in SHORTER:
            dwords = ""
        candidate = (int(packet["opcode"]), 0, packet["name"], int(dwords or 0), dress(packet["name"], rows))
        # Where several names share a number: as gen_packets.py chooses.
        best = found.get(candidate[0])
        if best is None or (is_mec, -len(packet["name"])) > best[0]:
            found[candidate[0]] = ((is_mec, -len(packet["name"])), candidate)
    return [candidate for _, candidate in sorted(found.values(), key=lambda item: item[1][0])]


def gcr_rows(tables):
    """The bits of GCR_CNTL as SDMA's GCR_REQ has them: 15..0 in dword 2 from bit 16, the rest in dword 3."""
    rows = []
    for field in read(tables, "pm4_fields.csv"):
        if field["packet"] != "ACQUIRE_MEM" or not field["field"].startswith("gcr_cntl."):
            continue
        hi, lo = int(field["hi"]), int(field["lo"])
        dword, move = (2, 16) if lo < 16 else (3, -16)
        rows.append(Row(field["field"].removeprefix("gcr_cntl."), dword, hi + move, lo + move,
                        values_of(field["values"])))
    return rows


def sdma_packets(tables, enums):
    table = read(tables, "sdma.csv")
    opcodes = {r["name_or_packet"]: int(r["value_or_dword"]) for r in table if r["kind"] == "opcode"}
    subops = {r["name_or_packet"]: int(r["value_or_dword"]) for r in table if r["kind"] == "subop"}
    result = []
    for packet in SDMA_PACKETS:
        opcode, subop = SDMA_OPCODES.get(packet, (packet, None))
        rows, dwords = [], 0
        for field in table:
            if field["kind"] != "field" or field["name_or_packet"] != packet:
                continue
            dwords = max(dwords, int(field["value_or_dword"]) + 1)
            name = identifier(field["field"])
            if name in ("op", "sub_op") or int(field["value_or_dword"]) == TAILS.get(packet):
                continue
            values = enums.get(ENUM_OF.get(name), POLL_FUNCTIONS if name == "func" else
                               FILL_SIZES if name == "fillsize" else ())
            rows.append(Row(name, field["value_or_dword"], field["hi"], field["lo"], values))
        if packet == "gcr_req":
            rows += gcr_rows(tables)
        sub_opcode = subops[subop] if subop else 0
        result.append((opcodes[opcode], sub_opcode, packet.upper(), dwords, dress(packet, rows)))
    return result


def packet_table(writer, array, prefix, packets):
    lines = ""
    for opcode, sub_opcode, name, dwords, rows in packets:
        tail = TAILS.get(name if prefix == "Pm4" else name.lower(), 0)
        expression = writer.rows(f"k{prefix}_{name}", rows)
        lines += f'    {{{opcode}, {sub_opcode}, "{name}", {dwords}, {tail}, {expression}}},\n'
    writer.text += f"constexpr PacketRow {array}[] = {{\n{lines}}};\n\n"


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    tables, out = Path(sys.argv[1]), Path(sys.argv[2])
    registers, enums = chosen_registers(tables), enum_values(tables)
    writer = Writer()
    packet_table(writer, "kPm4", "Pm4", pm4_packets(tables, registers, enums))
    packet_table(writer, "kSdma", "Sdma", sdma_packets(tables, enums))
    lines = ""
    for name, register in registers:
        expression = writer.rows(f"kRegister_{name}", register_rows(register))
        lines += f'    {{{{{int(register["dword_addr"], 16):#x}}}, "{name}", {expression}}},\n'
    writer.text += f"constexpr RegisterRow kRegisters[] = {{\n{lines}}};\n"
    text = ("// Generated by tools/gen/gen_packet_text.py from tools/gen/tables; do not edit.\n"
            '#include "amdgpu/gfx11/text/packet_rows.h"\n\nnamespace bw::amdgpu::gfx11 {\nnamespace {\n\n'
            f"{writer.text}\n}}  // namespace\n\n"
            "std::span<const PacketRow> pm4_rows() {\n  return kPm4;\n}\n"
            "std::span<const PacketRow> sdma_rows() {\n  return kSdma;\n}\n"
            "std::span<const RegisterRow> register_rows() {\n  return kRegisters;\n}\n\n"
            "}  // namespace bw::amdgpu::gfx11\n")
    if not out.exists() or out.read_text(encoding="utf-8") != text:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
