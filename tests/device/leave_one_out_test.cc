// Strict mode against everything that the runtime emits for the sake of order and caches: each way of submitting work
// runs clean, and with each wait, each field of each cache operation, each flush and each invalidation within a kernel
// left out by itself it is reported. What could be left out unseen would be a gap of strict mode, or not needed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "amdgpu/device.h"
#include "base/bits.h"
#include "base/mapped_file.h"
#include "tests/device/left_out.h"

namespace bw {
namespace {

using namespace amdgpu;  // NOLINT: a test of nothing else

// Arguments: two addresses. second[id] = first[id] + 1.
constexpr std::array<uint32_t, 11> kIncrement = {
    0xf408'0100, 0xf800'0000,  // s_load_b128 s[4:7], s[0:1], null
    0xbf89'fc07,               // s_waitcnt lgkmcnt(0)
    0x3002'0082,               // v_lshlrev_b32_e32 v1, 2, v0
    0xdc52'0000, 0x0204'0001,  // global_load_b32 v2, v1, s[4:5]
    0xbf89'03f7,               // s_waitcnt vmcnt(0)
    0x4a04'0481,               // v_add_nc_u32_e32 v2, 1, v2
    0xdc6a'0000, 0x0006'0201,  // global_store_b32 v1, v2, s[6:7]
    0xbfb0'0000,               // s_endpgm
};
// second[id] = first[id] + first[0] + 1, where first[0] is a scalar load; or + 2.
constexpr std::array<uint32_t, 14> kSum = {
    0xf408'0100, 0xf800'0000,  // s_load_b128 s[4:7], s[0:1], null
    0xbf89'fc07,               // s_waitcnt lgkmcnt(0)
    0xf400'0082, 0xf800'0000,  // s_load_b32 s2, s[4:5], null
    0x3002'0082,               // v_lshlrev_b32_e32 v1, 2, v0
    0xdc52'0000, 0x0204'0001,  // global_load_b32 v2, v1, s[4:5]
    0xbf89'0000,               // s_waitcnt vmcnt(0) expcnt(0) lgkmcnt(0)
    0x4a04'0402,               // v_add_nc_u32_e32 v2, s2, v2
    0x4a04'0481,               // v_add_nc_u32_e32 v2, 1, v2
    0xdc6a'0000, 0x0006'0201,  // global_store_b32 v1, v2, s[6:7]
    0xbfb0'0000,               // s_endpgm
};
constexpr size_t kAddition = 10;
constexpr uint32_t kAddTwo = 0x4a04'0482;
// second[id] = first[0], by a scalar load
constexpr std::array<uint32_t, 11> kSpread = {
    0xf408'0100, 0xf800'0000,  // s_load_b128 s[4:7], s[0:1], null
    0xbf89'fc07,               // s_waitcnt lgkmcnt(0)
    0xf400'0082, 0xf800'0000,  // s_load_b32 s2, s[4:5], null
    0x3002'0082,               // v_lshlrev_b32_e32 v1, 2, v0
    0xbf89'fc07,               // s_waitcnt lgkmcnt(0)
    0x7e04'0202,               // v_mov_b32_e32 v2, s2
    0xdc6a'0000, 0x0006'0201,  // global_store_b32 v1, v2, s[6:7]
    0xbfb0'0000,               // s_endpgm
};
constexpr uint32_t kLanes = 32;
constexpr uint64_t kBytes = 4096;
constexpr uint64_t kUploadBytes = 128 << 10;  // goes by the copy engine

// Work that is prepared, and then submitted as often as one likes.
using Submit = std::function<Submission()>;

struct Bench {
  std::unique_ptr<const Kernel> load(std::span<const uint32_t> code) const {
    RawProgram program;
    program.name = "program";
    program.code = std::as_bytes(code);
    program.pgm_rsrc1 = 0x60ac'0000;  // 8 VGPRs
    program.pgm_rsrc2 = 0x0000'0004;  // USER_SGPR 2
    program.argument_size_bytes = 16;
    return device->load_program(program).value();
  }
  // A program for one workgroup, from first to second.
  static void launch(GraphRecorder& recorder, const Kernel& kernel, const Buffer& from, const Buffer& to,
                     std::span<const ParameterUse> parameters = {}) {
    const bool is_module = kernel.acquiring_entry.has_value();
    uint64_t arguments[] = {from.gpu_addr().value, to.gpu_addr().value};
    if (is_module) std::swap(arguments[0], arguments[1]);  // add_one has them the other way round
    const BufferUse uses[] = {{&from, Access::kRead}, {&to, Access::kWrite}};
    recorder.launch({.kernel = &kernel,
                     .workgroup_count = {1, 1, 1},
                     .workgroup_size = {kLanes, 1, 1},
                     .arguments = std::as_bytes(std::span(arguments)),
                     .uses = uses,
                     .parameters = parameters});
  }

  Submission used;  // of copy_after_work()
  EditedCard* card = nullptr;
  std::unique_ptr<Device> device;
  std::unique_ptr<CodeModule> module;
  const Kernel* add_one = nullptr;          // invalidates by itself
  std::unique_ptr<const Kernel> increment;  // and these do not
  std::unique_ptr<const Kernel> spread;
  std::unique_ptr<const Kernel> fresh;  // another one each time, at the same address
  Buffer input;                         // the host writes it each time
  Buffer output;                        // and looks at it
  std::array<Buffer, 9> own;            // the card's alone
};

// Reads and writes in all ways, with a parameter that changes. What a replay leaves near the shaders, and overwrites,
// the next one reads.
void record_all(Bench& bench, GraphRecorder& recorder, ParameterId parameter) {
  const ParameterUse uses[] = {{parameter, ParameterUse::Place::kArgument, 0}};
  auto& own = bench.own;
  Bench::launch(recorder, *bench.fresh, bench.input, own[0], uses);  // its input moves
  Bench::launch(recorder, *bench.increment, own[5], own[7]);
  Bench::launch(recorder, *bench.spread, own[6], own[8]);
  recorder.barrier();
  Bench::launch(recorder, *bench.add_one, own[0], own[1]);  // reads what was written
  recorder.barrier();
  Bench::launch(recorder, *bench.increment, own[1], own[2]);  // likewise
  Bench::launch(recorder, *bench.spread, own[4], bench.output);
  recorder.fill({&own[4], Access::kWrite}, 5);             // overwrites what was read
  Bench::launch(recorder, *bench.spread, own[4], own[3]);  // by scalar loads
  recorder.copy({&own[0], Access::kWrite, 0, kBytes}, {&own[3], Access::kRead});
  recorder.barrier();
  Bench::launch(recorder, *bench.fresh, bench.input, own[2], uses);
  Bench::launch(recorder, *bench.spread, own[6], own[1]);
  recorder.fill({&own[6], Access::kWrite}, 7);
  Bench::launch(recorder, *bench.add_one, own[2], own[5]);
}

Submit graph_work(Bench& bench) {
  GraphRecorder recorder = bench.device->record_graph();
  const uint64_t begin = bench.input.gpu_addr().value;
  const ParameterId parameter = recorder.parameter(8, begin);
  record_all(bench, recorder, parameter);
  auto graph = std::make_shared<CommandGraph>(recorder.finish().value());
  return [&bench, graph, parameter, begin, offset = 0u]() mutable {
    offset ^= 256;
    EXPECT_TRUE(graph->set(parameter, begin + offset).is_ok());
    return bench.device->submit(*graph).value();
  };
}

// A word that is read by scalar loads, and advances behind them. The next replay finds its new value.
Submit word_work(Bench& bench) {
  GraphRecorder recorder = bench.device->record_graph();
  const ParameterId word = recorder.word(bench.own[0], 0, 1);
  Bench::launch(recorder, *bench.spread, bench.own[0], bench.own[1]);
  recorder.advance(word);
  auto graph = std::make_shared<CommandGraph>(recorder.finish().value());
  return [&bench, graph] { return bench.device->submit(*graph).value(); };
}

Submit direct_work(Bench& bench) {
  auto dispatch =
      std::make_shared<DirectDispatch>(bench.device->prepare_dispatch(*bench.fresh, {1, 1, 1}, {kLanes, 1, 1}).value());
  return [&bench, dispatch] {
    const uint64_t arguments[] = {bench.input.gpu_addr().value, bench.output.gpu_addr().value};
    return bench.device->submit(*dispatch, std::as_bytes(std::span(arguments))).value();
  };
}

Submit series_work(Bench& bench) {
  GraphRecorder recorder = bench.device->record_graph();
  const uint64_t begin = bench.input.gpu_addr().value;
  const ParameterId parameter = recorder.parameter(8, begin);
  record_all(bench, recorder, parameter);
  struct State {
    CommandGraph graph;
    std::array<ReplaySeries, 3> series;  // one for each submission
    size_t next = 0;
  };
  auto state = std::make_shared<State>();
  state->graph = recorder.finish().value();
  for (ReplaySeries& series : state->series) series = bench.device->make_series(3).value();
  return [&bench, state, parameter, begin] {
    ReplaySeries& series = state->series[state->next++];
    for (uint64_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(state->graph.set(parameter, begin + (i + 1) % 2 * 256).is_ok());
      EXPECT_TRUE(
          bench.device->append(series, state->graph, {.condition = &bench.output, .result = &bench.own[5]}).is_ok());
    }
    return bench.device->submit(series).value();
  };
}

// Recorded commands with barriers of their own.
Submit recorded_work(Bench& bench) {
  CommandRecorder recorder = bench.device->record();
  const auto dispatch = [&](const Kernel& kernel, const Buffer& from, const Buffer& to) {
    const uint64_t arguments[] = {from.gpu_addr().value, to.gpu_addr().value};
    recorder.dispatch(kernel, {1, 1, 1}, {kLanes, 1, 1}, std::as_bytes(std::span(arguments)));
  };
  dispatch(*bench.fresh, bench.input, bench.own[0]);
  dispatch(*bench.spread, bench.own[3], bench.own[2]);
  recorder.barrier(Barrier::kOrder);
  recorder.fill(bench.own[3].gpu_addr(), kBytes, 9);
  recorder.barrier();
  dispatch(*bench.increment, bench.own[0], bench.output);
  dispatch(*bench.spread, bench.own[3], bench.own[4]);
  dispatch(*bench.fresh, bench.input, bench.own[1]);
  auto commands = std::make_shared<CommandBuffer>(recorder.finish().value());
  return [&bench, commands] { return bench.device->submit(*commands).value(); };
}

// To the card, and from there by a kernel: the queues wait for each other.
Submit upload_work(Bench& bench) {
  GraphRecorder recorder = bench.device->record_graph();
  Bench::launch(recorder, *bench.fresh, bench.own[0], bench.output);
  auto graph = std::make_shared<CommandGraph>(recorder.finish().value());
  return [&bench, graph] {
    const std::vector<std::byte> data(kUploadBytes, std::byte{3});
    EXPECT_TRUE(bench.device->upload(bench.own[0], 0, data).is_ok());
    return bench.device->submit(*graph).value();
  };
}

// By a kernel, and from there by the copy engine.
Submit copy_after_work(Bench& bench) {
  GraphRecorder recorder = bench.device->record_graph();
  Bench::launch(recorder, *bench.fresh, bench.input, bench.own[0]);
  auto graph = std::make_shared<CommandGraph>(recorder.finish().value());
  return [&bench, graph, copied = Submission{}]() mutable {
    bench.used = bench.device->submit(*graph, std::array{copied}).value();
    copied = bench.device->copy(bench.output, 0, bench.own[0], 0, 128, std::array{bench.used}).value();
    return copied;
  };
}

// Of the host's memory to the host's.
Submit copy_work(Bench& bench) {
  return [&bench] { return bench.device->copy(bench.output, 1024, bench.input, 0, 128).value(); };
}

constexpr const char* kWaits = "wait for another queue";
constexpr Engine kCompute[] = {Engine::kCompute};
constexpr Engine kCopy[] = {Engine::kCopy};
constexpr Engine kBoth[] = {Engine::kCompute, Engine::kCopy};

struct Way {
  const char* name;
  Submit (*make)(Bench&);
  std::span<const Engine> engines;
  // Which parts, by what they begin with; "": all. Queues that wait for each other find the rest done.
  const char* parts = "";
};
std::ostream& operator<<(std::ostream& stream, const Way& way) {
  return stream << way.name;
}

struct Outcome {
  std::string message;  // "": clean
  std::vector<Site> sites;
};

void fill_bench(Bench& bench) {
  Device& device = *bench.device;
  bench.module = device.load(MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco").value().bytes()).value();
  bench.add_one = bench.module->kernel("add_one").value();
  bench.card->plain_entries[lo32(bench.add_one->acquiring_entry->value >> 8)] = lo32(bench.add_one->entry.value >> 8);
  bench.increment = bench.load(kIncrement);
  bench.spread = bench.load(kSpread);
  bench.input = device.allocate(MemoryKind::kVramHostVisible, kBytes).value();
  bench.output = device.allocate(MemoryKind::kVramHostVisible, kBytes).value();
  for (Buffer& buffer : bench.own) {
    buffer = device.allocate(MemoryKind::kVram, &buffer == &bench.own[0] ? kUploadBytes : kBytes).value();
  }
}

void host_writes(const Bench& bench, uint32_t value) {
  for (const Buffer* buffer : {&bench.input, &bench.output}) {
    auto* words = reinterpret_cast<uint32_t*>(buffer->host().data());
    std::fill_n(words, kBytes / sizeof(uint32_t), value);
  }
}

// Prepares the work twice: the second time the host has changed what it reads, and its code; then it is submitted twice
// at once. Meanwhile another queue has written something and has not ended.
Outcome run(const Way& way, const std::optional<Site>& left_out) {
  EditedCard card(left_out);
  Bench bench;
  bench.card = &card;
  bench.device = Device::open(*card.driver, {.wait_timeout_ns = 20'000'000'000}).value();
  fill_bench(bench);
  Buffer elsewhere = bench.device->allocate(MemoryKind::kVram, kBytes).value();
  GraphRecorder recorder = bench.device->record_graph();
  recorder.fill({&elsewhere, Access::kWrite}, 1);
  CommandGraph background = recorder.finish().value();
  card.hold_next_end();
  const Submission held = bench.device->submit(background, {}, QueueName::kCompute2).value();
  card.await_held();

  bench.fresh = bench.load(kSum);
  const GpuAddr code = bench.fresh->entry;
  host_writes(bench, 1);
  Submit submit = way.make(bench);
  EXPECT_TRUE(bench.device->wait(submit()).is_ok());
  EXPECT_TRUE(bench.device->wait(bench.used).is_ok());  // lets go of the code
  submit = {};
  bench.fresh.reset();
  std::array<uint32_t, kSum.size()> changed = kSum;
  changed[kAddition] = kAddTwo;
  bench.fresh = bench.load(changed);
  EXPECT_EQ(bench.fresh->entry, code);
  host_writes(bench, 2);
  submit = way.make(bench);
  card.close();
  submit();
  const Submission last = submit();
  card.await_closed_out(way.engines);
  card.open();
  const Status status = bench.device->wait(last);
  Outcome outcome{.message = "", .sites = card.sites()};
  card.let_go();
  const auto reports = card.driver->fault_reports();
  if (!reports.empty()) outcome.message = reports.front().message;
  EXPECT_EQ(reports.empty(), status.is_ok()) << status.message();
  if (status.is_ok()) {
    EXPECT_TRUE(bench.device->wait(held).is_ok());
  }
  submit = {};
  return outcome;
}

// Sites that count as one: those of both submissions, and those that must be missed somewhere.
Site place_of(Site site, size_t submissions) {
  site.submission %= std::max<size_t>(1, submissions / 2);
  if (site.part.starts_with(kSomewhere)) site.packet = site.submission = 0;
  return site;
}

// A series waits for the kernels of each replay, and writes back behind it. What stands around it as around all
// submissions, before and behind, does so again. A graph that ends with a wait leaves none for the next submission.
bool is_doubled(const Way& way, const Site& site, std::span<const Site> all) {
  if (way.make == word_work) return site.packet == 0 && site.part == "wait for shaders";
  if (way.make != series_work) return false;
  const bool is_last = std::ranges::none_of(
      all, [&](const Site& other) { return other.submission == site.submission && other.packet > site.packet; });
  return site.packet == 0 || is_last;
}

class LeaveOneOut : public ::testing::TestWithParam<Way> {};

// Of two equal submissions the second finds nothing new of the host's, and what the first waits for has ended. So each
// part has to be missed in one of them.
TEST_P(LeaveOneOut, EachPartIsMissed) {
  const Outcome clean = run(GetParam(), std::nullopt);
  EXPECT_EQ(clean.message, "");
  ASSERT_FALSE(clean.sites.empty());
  std::array<size_t, 2> submissions{};
  for (const Site& site : clean.sites) {
    size_t& count = submissions[static_cast<size_t>(site.engine)];
    count = std::max(count, site.submission + 1);
  }
  std::map<Site, bool> is_missed;  // by the place in the first of the two
  for (const Site& site : clean.sites) {
    if (!site.part.starts_with(GetParam().parts) || is_doubled(GetParam(), site, clean.sites)) continue;
    bool& missed = is_missed[place_of(site, submissions[static_cast<size_t>(site.engine)])];
    if (!missed) missed = !run(GetParam(), site).message.empty();
  }
  for (const auto& [site, missed] : is_missed) EXPECT_TRUE(missed) << to_string(site);
}

INSTANTIATE_TEST_SUITE_P(Ways, LeaveOneOut,
                         ::testing::Values(Way{"Graph", graph_work, kCompute}, Way{"Series", series_work, kCompute},
                                           Way{"Direct", direct_work, kCompute},
                                           Way{"WordWaits", word_work, kCompute, "wait for shaders"},
                                           Way{"WordCaches", word_work, kCompute, "ACQUIRE_MEM glk_inv"},
                                           Way{"Recorded", recorded_work, kCompute}, Way{"Copy", copy_work, kCopy},
                                           Way{"Upload", upload_work, kBoth, kWaits},
                                           Way{"CopyAfter", copy_after_work, kBoth, kWaits}),
                         [](const auto& way) { return way.param.name; });

}  // namespace
}  // namespace bw
