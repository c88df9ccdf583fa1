#include "emulator/jit/code_image.h"

#include <cstring>

#include "base/byte_reader.h"
#include "emulator/jit/host_calls.h"

namespace bw::emulator::jit {
namespace {

void put(std::vector<std::byte>& out, uint32_t value) {
  const size_t at = out.size();
  out.resize(at + sizeof(value));
  std::memcpy(out.data() + at, &value, sizeof(value));
}

void put(std::vector<std::byte>& out, const std::vector<uint32_t>& values) {
  put(out, static_cast<uint32_t>(values.size()));
  for (const uint32_t value : values) put(out, value);
}

Result<uint32_t> read_count(ByteReader& in, size_t element_bytes) {
  BW_ASSIGN(const uint32_t count, in.read<uint32_t>());
  if (count > in.remaining() / element_bytes) {
    return error(StatusCode::kDataLoss, "{} elements in the last {} bytes", count, in.remaining());
  }
  return count;
}

Result<uint32_t> read_below(ByteReader& in, uint64_t limit) {
  BW_ASSIGN(const uint32_t value, in.read<uint32_t>());
  if (value >= limit) return error(StatusCode::kDataLoss, "number {} of {}", value, limit);
  return value;
}

Result<std::vector<uint32_t>> read_numbers(ByteReader& in, uint64_t limit) {
  BW_ASSIGN(const uint32_t count, read_count(in, sizeof(uint32_t)));
  std::vector<uint32_t> numbers;
  for (uint32_t i = 0; i < count; ++i) {
    BW_ASSIGN(const uint32_t number, read_below(in, limit));
    numbers.push_back(number);
  }
  return numbers;
}

// One past the highest value that a reference may have.
uint64_t limit_of(Reference::Kind kind, const CodeImage& image) {
  switch (kind) {
    case Reference::Kind::kNumber:
      return uint64_t{1} << 32;
    case Reference::Kind::kHostCall:
      return static_cast<uint64_t>(HostCall::kCount);
    case Reference::Kind::kStep:
    case Reference::Kind::kFastHandler:
    case Reference::Kind::kFastLoad:
      return image.step_count;
    case Reference::Kind::kStrip:
      return image.strips.size();
    case Reference::Kind::kResumePoint:
      return image.resume_points.size();
  }
  return 0;
}

}  // namespace

std::vector<std::byte> encode_image(const CodeImage& image) {
  std::vector<std::byte> out;
  put(out, image.step_count);
  put(out, image.resume_points);
  put(out, static_cast<uint32_t>(image.strips.size()));
  for (const std::vector<uint32_t>& strip : image.strips) put(out, strip);
  put(out, static_cast<uint32_t>(image.table.size()));
  for (const Reference& reference : image.table) {
    put(out, static_cast<uint32_t>(reference.kind));
    put(out, reference.value);
  }
  out.insert(out.end(), image.object.begin(), image.object.end());
  return out;
}

Result<CodeImage> decode_image(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  CodeImage image;
  BW_ASSIGN(image.step_count, in.read<uint32_t>());
  BW_ASSIGN(image.resume_points, read_numbers(in, image.step_count));
  if (image.resume_points.empty()) return error(StatusCode::kDataLoss, "code without an entry");
  BW_ASSIGN(const uint32_t strips, read_count(in, sizeof(uint32_t)));
  for (uint32_t i = 0; i < strips; ++i) {
    BW_ASSIGN(std::vector<uint32_t> strip, read_numbers(in, image.step_count));
    image.strips.push_back(std::move(strip));
  }
  BW_ASSIGN(const uint32_t references, read_count(in, 2 * sizeof(uint32_t)));
  for (uint32_t i = 0; i < references; ++i) {
    Reference reference{};
    BW_ASSIGN(const uint32_t kind, in.read<uint32_t>());
    reference.kind = static_cast<Reference::Kind>(kind);
    BW_ASSIGN(reference.value, read_below(in, limit_of(reference.kind, image)));
    image.table.push_back(reference);
  }
  BW_ASSIGN(const std::span<const std::byte> object, in.read_bytes(in.remaining()));
  image.object.assign(object.begin(), object.end());
  return image;
}

}  // namespace bw::emulator::jit
