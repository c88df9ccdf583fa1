#include "tensor/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tensor/testing/gguf_writer.h"
#include "tensor/testing/test_data.h"
#include "tensor/tokenizer/pretokenizer.h"
#include "tensor/tokenizer/unicode.h"

namespace bw::tensor {
namespace {

using ::testing::ElementsAre;
using testing::GgufWriter;
using ::testing::HasSubstr;

Tokenizer real_tokenizer() {
  const auto file = gguf::File::open(testing::data_path("kjv-3m/kjv-3m.Q4_0.gguf"));
  auto tokenizer = Tokenizer::create(file.value());
  EXPECT_TRUE(tokenizer.is_ok()) << tokenizer.status().message();
  return std::move(tokenizer).value();
}

TEST(Unicode, ClassifiesLettersNumbersAndSpaces) {
  EXPECT_EQ(classify('a'), CharClass::kLetter);
  EXPECT_EQ(classify(0xe9), CharClass::kLetter);     // e acute
  EXPECT_EQ(classify(0x4e2d), CharClass::kLetter);   // CJK
  EXPECT_EQ(classify(0x2ebe0), CharClass::kLetter);  // last of CJK extension F
  EXPECT_EQ(classify('7'), CharClass::kNumber);
  EXPECT_EQ(classify(0xbd), CharClass::kNumber);   // one half
  EXPECT_EQ(classify(0x664), CharClass::kNumber);  // Arabic-Indic four
  EXPECT_EQ(classify(0xa0), CharClass::kSpace);
  EXPECT_EQ(classify(0x3000), CharClass::kSpace);
  EXPECT_EQ(classify(0x200b), CharClass::kOther);  // zero width space is no White_Space
  EXPECT_EQ(classify('!'), CharClass::kOther);
  EXPECT_EQ(classify(0x1f642), CharClass::kOther);
  EXPECT_EQ(classify(0x301), CharClass::kOther);  // combining acute is a mark
  EXPECT_EQ(classify(0x10ffff), CharClass::kOther);
}

TEST(Unicode, TakesIllFormedBytesOneByOne) {
  for (std::string_view text : {"\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x80", "\xe4\xb8", "\xe0\x80\x80"}) {
    EXPECT_EQ(decode_utf8(text, 0).length_bytes, 1u);
    EXPECT_EQ(decode_utf8(text, 0).code_point, 0xfffdu);
  }
  EXPECT_EQ(decode_utf8("\xf4\x8f\xbf\xbf", 0).code_point, 0x10ffffu);
}

TEST(Pretokenizer, CutsAsGpt2sPatternDoes) {
  EXPECT_THAT(split_gpt2("Hello, world!"), ElementsAre("Hello", ",", " world", "!"));
  EXPECT_THAT(split_gpt2("  two  spaces"), ElementsAre(" ", " two", " ", " spaces"));
  EXPECT_THAT(split_gpt2("don't we'll I'VE"), ElementsAre("don", "'t", " we", "'ll", " I", "'", "VE"));
  EXPECT_THAT(split_gpt2("a1b 22"), ElementsAre("a", "1", "b", " 22"));
  EXPECT_THAT(split_gpt2("x \n\n y"), ElementsAre("x", " \n\n", " y"));
  EXPECT_THAT(split_gpt2("x \n\ny"), ElementsAre("x", " \n", "\n", "y"));
  EXPECT_THAT(split_gpt2("end   "), ElementsAre("end", "   "));
  EXPECT_THAT(split_gpt2(" 's ''s"), ElementsAre(" '", "s", " ''", "s"));
  EXPECT_TRUE(split_gpt2("").empty());
}

TEST(Tokenizer, EncodesTheReferenceCases) {
  const Tokenizer tokenizer = real_tokenizer();
  const auto cases = testing::read_json("kjv-3m/tokenizer_cases.json");
  for (const auto& [text, ids] : cases.items()) {
    const auto encoded = tokenizer.encode(text);
    ASSERT_TRUE(encoded.is_ok());
    EXPECT_EQ(encoded.value(), ids.get<std::vector<TokenId>>()) << text;
    EXPECT_EQ(tokenizer.decode(encoded.value()), text);
  }
}

TEST(Tokenizer, EncodesTheReferencePromptsAndDecodesTheirContinuations) {
  const Tokenizer tokenizer = real_tokenizer();
  const auto reference = testing::read_json("kjv-3m/reference.json");
  for (const auto& run : reference["runs"]) {
    auto ids = tokenizer.encode(run["prompt"].get<std::string>()).value();
    ids.insert(ids.begin(), tokenizer.bos().value());
    EXPECT_EQ(ids, run["prompt_ids"].get<std::vector<TokenId>>());
    EXPECT_EQ(tokenizer.decode(run["greedy_ids"].get<std::vector<TokenId>>()), run["text"].get<std::string>());
  }
}

TEST(Tokenizer, RoundTripsArbitraryBytesExactly) {
  const Tokenizer tokenizer = real_tokenizer();
  for (uint32_t seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    std::string text(random() % 200, ' ');
    for (char& c : text) c = static_cast<char>(random() % 4 == 0 ? random() : 'a' + random() % 4);
    std::string bytes;
    const auto ids = tokenizer.encode(text).value();
    for (TokenId id : ids) bytes += tokenizer.token_bytes(id);
    EXPECT_EQ(bytes, text) << "seed " << seed;
  }
}

TEST(Tokenizer, EncodesALongWordInReasonableTime) {
  const Tokenizer tokenizer = real_tokenizer();
  const auto ids = tokenizer.encode(std::string(1 << 19, 'e'));
  EXPECT_TRUE(ids.is_ok());
}

TEST(StreamDecoder, HoldsBackIncompleteCharacters) {
  const Tokenizer tokenizer = real_tokenizer();
  const std::string text = "na\xc3\xafve \xe4\xb8\xad \xf0\x9f\x99\x82!";
  StreamDecoder decoder(tokenizer);
  std::string streamed;
  const auto ids = tokenizer.encode(text).value();
  for (TokenId id : ids) {
    const std::string part = decoder.push(id);
    for (size_t i = 0; i < part.size(); i += decode_utf8(part, i).length_bytes) {
      EXPECT_NE(decode_utf8(part, i).code_point, 0xfffdu);
    }
    streamed += part;
  }
  EXPECT_EQ(streamed + decoder.finish(), text);
}

TEST(StreamDecoder, ReplacesWhatNeverBecomesACharacter) {
  const Tokenizer tokenizer = real_tokenizer();
  StreamDecoder decoder(tokenizer);
  std::string streamed;
  const auto broken = tokenizer.encode("\xf0\x9f!").value();
  for (TokenId id : broken) streamed += decoder.push(id);
  EXPECT_EQ(streamed, "\xef\xbf\xbd\xef\xbf\xbd!");
  const auto cut = tokenizer.encode("\xe4\xb8").value();
  streamed.clear();
  for (TokenId id : cut) streamed += decoder.push(id);
  EXPECT_EQ(streamed, "");
  EXPECT_EQ(decoder.finish(), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(Tokenizer, HidesControlTokensAndForeignIds) {
  const Tokenizer tokenizer = real_tokenizer();
  EXPECT_EQ(tokenizer.token_bytes(0), "");
  EXPECT_EQ(tokenizer.token_bytes(-1), "");
  EXPECT_EQ(tokenizer.token_bytes(1024), "");
  EXPECT_EQ(tokenizer.eos().value(), 0);
}

std::string creation_failure(const GgufWriter& writer) {
  const auto bytes = writer.bytes();
  const auto file = gguf::File::parse(bytes, "test.gguf");
  const auto tokenizer = Tokenizer::create(file.value());
  EXPECT_FALSE(tokenizer.is_ok());
  return tokenizer.status().message();
}

TEST(Tokenizer, SaysWhatItDoesNotSupport) {
  EXPECT_THAT(creation_failure(GgufWriter().text("tokenizer.ggml.model", "llama")), HasSubstr("'llama'"));
  EXPECT_THAT(
      creation_failure(GgufWriter().text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "llama-bpe")),
      HasSubstr("'llama-bpe'"));
}

TEST(Tokenizer, RejectsIdsAndMergesOutsideTheVocabulary) {
  GgufWriter base;
  base.text("tokenizer.ggml.model", "gpt2").texts("tokenizer.ggml.tokens", {"a", "b", "ab"});
  EXPECT_THAT(creation_failure(GgufWriter(base)), HasSubstr("tokenizer.ggml.merges"));
  EXPECT_THAT(creation_failure(GgufWriter(base).texts("tokenizer.ggml.merges", {"a c"})), HasSubstr("'a c'"));
  EXPECT_THAT(creation_failure(GgufWriter(base).texts("tokenizer.ggml.merges", {"ab"})), HasSubstr("two tokens"));
  EXPECT_THAT(
      creation_failure(GgufWriter(base).texts("tokenizer.ggml.merges", {"a b"}).u32("tokenizer.ggml.bos_token_id", 3)),
      HasSubstr("bos_token_id is 3"));
  EXPECT_THAT(
      creation_failure(GgufWriter(base)
                           .texts("tokenizer.ggml.merges", {"a b"})
                           .numbers("tokenizer.ggml.token_type", gguf::ValueType::kI32, std::vector<int32_t>{1})),
      HasSubstr("token_type"));

  const auto bytes = base.texts("tokenizer.ggml.merges", {"a b"}).bytes();
  const auto file = gguf::File::parse(bytes, "test.gguf");
  const auto tokenizer = Tokenizer::create(file.value());
  EXPECT_THAT(tokenizer->encode("abba").value(), ElementsAre(2, 1, 0));
  EXPECT_EQ(tokenizer->encode("abc").status().code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace bw::tensor
