#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "emulator/testing/aql_client.h"
#include "emulator/testing/machine.h"
#include "emulator/trace/recorder.h"

namespace bw::emulator {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Machine;
using ::testing::SizeIs;
using ::testing::StartsWith;
using testing::TestBuffer;
using testing::TestQueue;

class Trace : public ::testing::Test {
 protected:
  Trace() : path_(std::filesystem::temp_directory_path() / ("barewave-trace-test." + std::to_string(::getpid()))) {}
  ~Trace() override { std::filesystem::remove(path_); }

  std::shared_ptr<TraceRecorder> record(TraceFormat format, TraceOptions::File file = TraceOptions::File::kOwn) {
    return TraceRecorder::create({.path = path_, .format = format, .file = file}).value();
  }
  std::string content() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // What happened on the tracks whose label has `where` in it; without times.
  std::vector<std::string> lines(const std::string& where) const {
    std::vector<std::string> result;
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) {
      if (line[0] == '#' || line.substr(30, 24).find(where) == std::string::npos) continue;
      result.push_back(line.substr(56));
    }
    return result;
  }
  // The same without doorbells, which the card may see late and more than one at a time.
  std::vector<std::string> packets(const std::string& where) const {
    std::vector<std::string> result = lines(where);
    std::erase_if(result, [](const std::string& line) { return line.starts_with("doorbell"); });
    return result;
  }

  const std::string path_;
};

EmulatedOptions traced(std::shared_ptr<TraceRecorder> recorder) {
  EmulatedOptions options;
  options.trace = std::move(recorder);
  return options;
}

// SET_SH_REG of a small program, an indirect buffer with its dispatch, and a fence.
void run_dispatch(Machine& machine, TestQueue& queue, const TestBuffer& memory) {
  const std::vector<uint32_t> dispatch = {0xc0031500, 4, 1, 1, 0x8005};
  std::copy(dispatch.begin(), dispatch.end(), memory.dwords());
  const auto lo = static_cast<uint32_t>(memory.va);
  const auto hi = static_cast<uint32_t>(memory.va >> 32);
  machine.submit(queue, {0xc0027600, 0x20c, 0x7f0010, 0, 0xc0037600, 0x207, 64, 1, 1});
  machine.submit(queue, {0xc0023f00, lo, hi, 0x00800005});
  machine.submit(queue, {0xc0064900, 0x0000f514, 0x20000000 | 1 << 24, lo + 64, hi, 7, 0, 5});
  ASSERT_TRUE(machine.drain(queue));
}

TEST_F(Trace, WritesDoorbellsPacketsAndDispatchesOfAQueueAsText) {
  {
    Machine machine(traced(record(TraceFormat::kText)));
    machine.cores().tell([](const Dispatch& dispatch, const AddressSpace&, std::stop_token) {
      *dispatch.instructions = 12;
      return std::nullopt;
    });
    TestQueue queue = machine.compute_queue();
    const TestBuffer memory = machine.gtt();
    run_dispatch(machine, queue, memory);
    ASSERT_TRUE(eventually([&] { return content().find("interrupt event=5") != std::string::npos; }));
    const std::string address = fmt::format("{:#x}", memory.va);
    const std::vector<std::string> all = lines("compute 0");
    EXPECT_LT(packets("compute 0").size(), all.size());
    EXPECT_THAT(all[0], ContainsRegex("^doorbell [0-9]+ ..[0-9]+ dwords.$"));
    EXPECT_THAT(packets("compute 0"),
                ElementsAre("SET_SH_REG COMPUTE_PGM_LO=0x7f0010 COMPUTE_PGM_HI=0",
                            "SET_SH_REG COMPUTE_NUM_THREAD_X={num_thread_full=64} "
                            "COMPUTE_NUM_THREAD_Y={num_thread_full=1} COMPUTE_NUM_THREAD_Z={num_thread_full=1}",
                            "INDIRECT_BUFFER ib_base=" + address + " ib_size=5 valid",
                            "  DISPATCH_DIRECT 0x7f001000 dim_x=4 dim_y=1 dim_z=1 compute_shader_en force_start_at_000 "
                            "cs_w32_en workgroups=4x1x1 of=64x1x1 wave=32",
                            "  end of DISPATCH_DIRECT 0x7f001000 instructions=12",  //
                            "end of INDIRECT_BUFFER",                               //
                            AllOf(StartsWith("RELEASE_MEM event_type="), HasSubstr("data=7 int_ctxid=5")),
                            "interrupt event=5"));
  }
  EXPECT_THAT(content(), StartsWith("#           us          took  where"));
}

TEST_F(Trace, TellsOfAWaitWhenItBeginsAndWhenItEnds) {
  Machine machine(traced(record(TraceFormat::kText)));
  TestQueue queue = machine.compute_queue();
  const TestBuffer memory = machine.gtt();
  const auto lo = static_cast<uint32_t>(memory.va);
  const auto hi = static_cast<uint32_t>(memory.va >> 32);
  machine.submit(queue, {0xc0053c00, 0x13, lo, hi, 3, 0xffffffff, 4});
  ASSERT_TRUE(eventually([&] { return lines("compute").size() == 2; }));
  const std::string wait = fmt::format(
      "WAIT_REG_MEM function=equal_to_the_reference_value mem_space=memory_space mem_poll_addr={:#x} reference=3 "
      "mask=0xffffffff poll_interval=4 waits",
      memory.va);
  EXPECT_THAT(lines("compute"), ElementsAre("doorbell 7 (+7 dwords)", wait));
  memory.dword(0) = 3;
  ASSERT_TRUE(machine.drain(queue));
  EXPECT_THAT(lines("compute"), ElementsAre("doorbell 7 (+7 dwords)", wait, "end of WAIT_REG_MEM"));
}

TEST_F(Trace, TellsOfAqlPacketsWithTheirDispatchesAndBuffers) {
  Machine machine(traced(record(TraceFormat::kText)));
  testing::AqlClient client(machine);
  const uint64_t kernel = client.load(0, 0, 1 << 10, {0xbfb00000});
  const TestBuffer buffer = machine.gtt();
  buffer.dwords()[0] = 0xffff1000;
  ASSERT_TRUE(client.run(testing::dispatch_packet({{100, 1, 1}, {64, 1, 1}, 1}, kernel, 0, client.signal())));
  auto pm4 = testing::indirect_buffer_packet(buffer.va, 1, client.signal());
  ASSERT_TRUE(client.run(pm4));
  ASSERT_TRUE(client.run(testing::barrier_packet(testing::kAqlBarrierAnd, {}, client.signal())));
  const auto has_last_doorbell = [&] {
    const std::vector<std::string> all = lines("aql 0");
    return std::any_of(all.begin(), all.end(), [](const auto& line) { return line.starts_with("doorbell 2 (+"); });
  };
  ASSERT_TRUE(eventually([&] { return packets("aql 0").size() == 6 && has_last_doorbell(); }));
  EXPECT_THAT(
      packets("aql 0"),
      ElementsAre(AllOf(StartsWith(fmt::format("KERNEL_DISPATCH {:#x} acquire=system release=system "
                                               "dimensions=1 workgroup=64x1x1 grid=100x1x1 ",
                                               kernel + 256)),
                        HasSubstr(" workgroups=2x1x1 of=64x1x1 last=36x0x0 wave=32")),
                  fmt::format("end of KERNEL_DISPATCH {:#x}", kernel + 256),
                  StartsWith("VENDOR_SPECIFIC PM4_IB acquire=system release=system ib_jump_cmd=INDIRECT_BUFFER"),
                  "  NOP",                          //
                  "end of VENDOR_SPECIFIC PM4_IB",  //
                  StartsWith("BARRIER_AND acquire=system release=system completion_signal=0x")));
}

TEST_F(Trace, TellsOfFaultsAndOfWhatEndsWithThem) {
  Machine machine(traced(record(TraceFormat::kText)));
  TestQueue queue = machine.sdma_queue();
  machine.submit(queue, {1, 3, 0, 0x1000, 0, 0x2000, 0});
  machine.wait_fault();
  EXPECT_THAT(lines("sdma").back(),
              AllOf(StartsWith("fault: gpu 0x"), EndsWith("(COPY_LINEAR bytes=4 src_addr=0x1000 dst_addr=0x2000)")));
  TestQueue compute = machine.compute_queue();
  const TestBuffer buffer = machine.gtt();
  buffer.dwords()[0] = 0xc0000300;
  machine.submit(compute,
                 {0xc0023f00, static_cast<uint32_t>(buffer.va), static_cast<uint32_t>(buffer.va >> 32), 0x00800002});
  machine.wait_fault(2);
  ASSERT_TRUE(eventually([&] { return lines("compute").size() == 4; }));
  EXPECT_THAT(lines("compute")[2], StartsWith("  fault: gpu 0x"));
  EXPECT_EQ(lines("compute")[3], "end of INDIRECT_BUFFER abandoned");
}

TEST_F(Trace, EndsWhatADestroyedQueueWasAt) {
  Machine machine(traced(record(TraceFormat::kText)));
  TestQueue queue = machine.compute_queue();
  const TestBuffer memory = machine.gtt();
  machine.submit(queue, {0xc0053c00, 0x13, static_cast<uint32_t>(memory.va), static_cast<uint32_t>(memory.va >> 32), 3,
                         0xffffffff, 4});
  ASSERT_TRUE(eventually([&] { return lines("compute").size() == 2; }));
  EXPECT_EQ(machine.destroy(queue), 0);
  ASSERT_TRUE(eventually([&] { return lines("compute").size() == 3; }));
  EXPECT_EQ(lines("compute")[2], "end of WAIT_REG_MEM abandoned");
}

TEST_F(Trace, IsAJsonArrayOfSlicesThatNestWithATrackForEachQueue) {
  {
    const auto recorder = record(TraceFormat::kChrome);
    Machine machine(traced(recorder));
    TestQueue compute = machine.compute_queue();
    TestQueue sdma = machine.sdma_queue();
    const TestBuffer memory = machine.gtt();
    run_dispatch(machine, compute, memory);
    machine.submit(sdma, {6, 3});
    ASSERT_TRUE(machine.drain(sdma));
    recorder->add_call(100, 300, "GET_VERSION", "ioctl(3, GET_VERSION) = 0 \"\\\n\xff\xc3\xa4");
  }
  const json events = json::parse(content());
  std::map<std::string, json> names;
  std::map<std::pair<int, int>, std::vector<std::string>> open;
  std::map<std::string, json> by_name;
  for (const json& event : events) {
    const std::string phase = event["ph"];
    if (phase == "M") {
      if (event["name"] == "thread_name") names[event["args"]["name"]] = event;
      continue;
    }
    std::vector<std::string>& stack = open[{event["pid"], event["tid"]}];
    if (phase == "B") stack.push_back(event["name"]);
    if (phase == "E") {
      ASSERT_THAT(stack, SizeIs(::testing::Gt(0u)));
      EXPECT_EQ(stack.back(), event["name"]);
      stack.pop_back();
    }
    by_name[event["name"].get<std::string>() + " " + phase] = event;
  }
  for (const auto& [track, stack] : open) EXPECT_THAT(stack, IsEmpty());
  ASSERT_TRUE(names.contains("compute queue 0"));
  ASSERT_TRUE(names.contains("sdma queue 1"));
  EXPECT_EQ(names["compute queue 0"]["pid"], names["sdma queue 1"]["pid"]);
  EXPECT_NE(names["compute queue 0"]["tid"], names["sdma queue 1"]["tid"]);
  EXPECT_NE(names["compute queue 0"]["pid"], ::getpid());
  EXPECT_EQ(by_name["RELEASE_MEM X"]["args"]["data_sel"], "send_32_bit_low");
  EXPECT_EQ(by_name["DISPATCH_DIRECT 0x7f001000 B"]["args"]["workgroups"], "4x1x1");
  EXPECT_EQ(by_name["TRAP X"]["tid"], names["sdma queue 1"]["tid"]);
  EXPECT_EQ(by_name["interrupt i"]["s"], "t");
  const json& call = by_name["GET_VERSION X"];
  EXPECT_EQ(call["pid"], ::getpid());
  EXPECT_EQ(call["tid"], ::gettid());
  EXPECT_EQ(call["ts"], 0.1);
  EXPECT_EQ(call["dur"], 0.2);
  EXPECT_EQ(call["args"]["text"], "ioctl(3, GET_VERSION) = 0 \"\\\n?\xc3\xa4");
}

TEST_F(Trace, OfAProcessThatIsKilledIsWholeUpToItsEnd) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto recorder = record(TraceFormat::kChrome);
    recorder->add_call(100, 300, "GET_VERSION", "");
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  std::string text = content();
  ASSERT_TRUE(text.ends_with("},\n"));
  text.resize(text.size() - 2);
  EXPECT_THAT(json::parse(text + "]"), SizeIs(3));
}

TEST_F(Trace, IsSharedByThreadsAndProcessesLineByLine) {
  constexpr int kCalls = 500;
  { const auto begin = record(TraceFormat::kText, TraceOptions::File::kBegun); }
  const pid_t child = ::fork();
  const auto recorder = record(TraceFormat::kText, TraceOptions::File::kShared);
  const auto call = [&] {
    const uint64_t now = TraceRecorder::now_ns();
    for (int i = 0; i < kCalls; ++i) recorder->add_call(now, now, "x", "a call");
  };
  std::thread other(call);
  call();
  other.join();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const std::vector<std::string> all = lines("");
  EXPECT_THAT(all, SizeIs(4 * kCalls));
  EXPECT_EQ(std::count(all.begin(), all.end(), "a call"), 4 * kCalls);
}

TEST_F(Trace, WritesToNoFileThatTookThePlaceOfItsOwn) {
  std::vector<std::string> warnings;
  {
    const auto recorder =
        TraceRecorder::create(
            {.path = path_, .warn = [&](const Status& status) { warnings.push_back(status.message()); }})
            .value();
    const std::string other = path_ + ".other";
    for (int fd = 3; fd < 1000; ++fd) {
      std::error_code ignored;
      if (std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd), ignored) == path_) ::close(fd);
    }
    recorder->add_call(100, 200, "x", "lost");
    recorder->add_call(100, 200, "x", "lost");
  }
  EXPECT_THAT(warnings, ElementsAre(ContainsRegex("^writing the trace file .*: bad file descriptor")));
  EXPECT_THAT(lines(""), IsEmpty());
}

TEST(TraceFile, SaysWhyItCannotBeMade) {
  const auto recorder = TraceRecorder::create({.path = "/nonexistent/trace.json"});
  ASSERT_FALSE(recorder.is_ok());
  EXPECT_THAT(recorder.status().message(), StartsWith("opening the trace file /nonexistent/trace.json: "));
}

}  // namespace
}  // namespace bw::emulator
