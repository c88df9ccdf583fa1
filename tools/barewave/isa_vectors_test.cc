#include "tools/barewave/isa_vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

namespace bw::tools {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// One work-item, s2 = 300 and EXEC = 1.
json good_vector() {
  return json::parse(R"({"id":"a.b","fmt":"sop","layout":"state","lanes":1,"waves":1,"code":"0000b0bf","body":[0,0],
    "asm":["0000: s_nop 0"],"out_size":2124,"expect":[[72,"2c010000"],[136,"01000000"]],
    "checked":[{"off":72,"reg":"s2","kind":"exact","value":"0x0000012c","bits":"0xffffffff"}],
    "flags":[],"hw_ulp":0,"origin":"x"})");
}

std::string message_of(const std::string& text) {
  auto vectors = parse_isa_vectors(text, "f.jsonl");
  return vectors.is_ok() ? "" : vectors.status().message();
}

TEST(IsaVectors, TellWhatTheyExpect) {
  const auto vectors = parse_isa_vectors(good_vector().dump() + "\n\n" + good_vector().dump(), "f.jsonl");
  ASSERT_TRUE(vectors.is_ok()) << vectors.status().message();
  ASSERT_EQ(vectors->size(), 2u);
  const IsaVector& vector = vectors.value()[1];
  EXPECT_EQ(vector.expected.size(), 2124u);
  EXPECT_EQ(vector.expected[73], 1);
  EXPECT_EQ(vector.name_of(0), "v0 lane 0");
  EXPECT_EQ(vector.name_of(72), "s2");
  EXPECT_EQ(vector.name_of(136), "exec_lo");
  EXPECT_EQ(vector.name_of(140), "out + 0x8c");
}

TEST(IsaVectors, LinesThatAreNoVectorAreNamed) {
  const std::string good = good_vector().dump();
  EXPECT_THAT(message_of(""), HasSubstr("there are none"));
  EXPECT_THAT(message_of(good + "\n" + good.substr(0, good.size() / 2)), HasSubstr("f.jsonl:2: "));
  EXPECT_THAT(message_of("[]"), HasSubstr("f.jsonl:1: "));
  EXPECT_THAT(message_of(R"({"bytes":"00","asm":"s_nop 0"})"), AllOf(HasSubstr("f.jsonl:1: "), HasSubstr("'id'")));
  EXPECT_THAT(message_of(std::string(100'000, '[')), HasSubstr("f.jsonl:1: "));
  for (size_t size = 1; size < good.size(); ++size) EXPECT_THAT(message_of(good.substr(0, size)), HasSubstr(":1: "));
}

TEST(IsaVectors, ValuesOutOfRangeAreRefused) {
  const std::vector<std::pair<const char*, json>> bad = {
      {"/lanes", 0},
      {"/lanes", 1025},
      {"/lanes", -1},
      {"/lanes", "1"},
      {"/code", ""},
      {"/code", "00"},
      {"/code", "0000b0b"},
      {"/code", "0000b0xx"},
      {"/body", {0, 5}},
      {"/body", {4, 0}},
      {"/body", json::array()},
      {"/layout", "none"},
      {"/out_size", 0},
      {"/out_size", 2123},
      {"/out_size", 1e18},
      {"/out_size", 4294967296},
      {"/expect/0/0", 2121},
      {"/expect/0/0", 4294967295},
      {"/expect/0", 7},
      {"/expect/0/1", "2c01000"},
      {"/asm/0", 7},
      {"/checked/0/off", 2124},
      {"/checked/0/off", 2},
      {"/checked/0/kind", "close"},
      {"/checked/0/bits", ""},
      {"/checked/0/value", "0x100000000"},
      {"/id", nullptr},
      {"/checked/0/kind", "range"},
  };
  for (const auto& [where, what] : bad) {
    json vector = good_vector();
    vector[json::json_pointer(where)] = what;
    const std::string message = message_of(vector.dump());
    EXPECT_THAT(message, HasSubstr("f.jsonl:1: ")) << where << " = " << what;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

TEST(IsaVectors, ChangedBytesNeverDoHarm) {
  const std::string good = good_vector().dump();
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char byte : {'9', '"', ']', '\xff', '\n'}) {
      std::string changed = good;
      changed[at] = byte;
      (void)parse_isa_vectors(changed, "f.jsonl");
    }
  }
}

class Judge : public testing::Test {
 protected:
  IsaVerdict judge_with(uint32_t offset, uint32_t word) {
    const IsaVector vector = parse_isa_vectors(vector_.dump(), "f.jsonl").value()[0];
    std::vector<uint8_t> out = vector.expected;
    std::memcpy(out.data() + offset, &word, 4);
    return judge(vector, out);
  }
  json vector_ = good_vector();
};

TEST_F(Judge, PartsViolatedAssertionsFromOtherDifferences) {
  EXPECT_THAT(judge_with(72, 300).hard, SizeIs(0));
  const IsaVerdict hard = judge_with(72, 301);
  ASSERT_THAT(hard.hard, SizeIs(1));
  EXPECT_EQ(hard.hard[0].offset, 72u);
  EXPECT_EQ(hard.hard[0].text, "s2: got 0x0000012d, asserted 0x0000012c");
  const IsaVerdict soft = judge_with(136, 3);
  EXPECT_THAT(soft.hard, SizeIs(0));
  ASSERT_THAT(soft.soft, SizeIs(1));
  EXPECT_EQ(soft.soft[0].text, "exec_lo: got 0x00000003, recorded 0x00000001");
}

TEST_F(Judge, LooksAtAssertedBitsOnly) {
  vector_["checked"][0]["bits"] = "0x0000ffff";
  EXPECT_THAT(judge_with(72, 0x1'012c).hard, SizeIs(0));
  EXPECT_THAT(judge_with(72, 0x1'012c).soft, SizeIs(1));
}

TEST_F(Judge, KnowsRangesAndNans) {
  vector_["checked"][0].update({{"kind", "range"}, {"window", "0xffff"}, {"lo", "0x12b"}, {"hi", "0x12d"}});
  EXPECT_THAT(judge_with(72, 0x12d).hard, SizeIs(0));
  EXPECT_THAT(judge_with(72, 0x12d).soft, SizeIs(0));
  EXPECT_THAT(judge_with(72, 0x12e).hard, SizeIs(1));
  vector_["checked"][0].update(
      {{"kind", "range16x2"}, {"halves", {{0, "0xffff", "0x1", "0x2"}, {16, "0xffff", "0x3", "0x4"}}}});
  EXPECT_THAT(judge_with(72, 0x3'0001).hard, SizeIs(0));
  EXPECT_THAT(judge_with(72, 0x5'0001).hard, SizeIs(1));
  vector_["checked"][0]["kind"] = "nan32";
  EXPECT_THAT(judge_with(72, 0xff80'0001).hard, SizeIs(0));
  EXPECT_THAT(judge_with(72, 0xff80'0000).hard, SizeIs(1));
  vector_["checked"][0]["kind"] = "nan64hi";
  EXPECT_THAT(judge_with(72, 0x7ff0'0000).hard, SizeIs(0));
}

TEST(Wave64, LeavesOutWhatTheWaveSizeChanges) {
  auto with_body = [](const std::string& code) {
    json vector = good_vector();
    vector["code"] = code + "0000b0bf";
    vector["body"] = {0, code.size() / 2};
    return parse_isa_vectors(vector.dump(), "f.jsonl").value()[0];
  };
  EXPECT_FALSE(wave64_obstacle(with_body("0000023a")).has_value());          // v_xor_b32_e32 v1, s0, v0
  EXPECT_FALSE(wave64_obstacle(with_body("000001d58002a901")).has_value());  // v_cndmask_b32_e64 v0, 0, 1, vcc_lo
  EXPECT_TRUE(wave64_obstacle(with_body("000001d580021100")).has_value());   // v_cndmask_b32_e64 v0, 0, 1, s4
  json wide = good_vector();
  wide["lanes"] = 33;
  EXPECT_TRUE(wave64_obstacle(parse_isa_vectors(wide.dump(), "f.jsonl").value()[0]).has_value());
}

}  // namespace
}  // namespace bw::tools
