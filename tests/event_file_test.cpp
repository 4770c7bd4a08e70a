// The files for TensorBoard, record by record. That TensorBoard reads them is in
// tests/tensorboard_test.py.
#include "runs/event_file.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "runs/scalars.h"
#include "runs/tf_record.h"
#include "temporary_folder.h"

using namespace easgd;
namespace fs = std::filesystem;

namespace {

/// CRC-32C bit by bit: a division of polynomials whose coefficients are bits.
std::uint32_t slow_crc(std::string_view bytes) {
  std::uint32_t rest = 0xffffffff;
  for (const char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const std::uint32_t in = (static_cast<unsigned char>(c) >> bit & 1) ^ (rest & 1);
      rest >>= 1;
      if (in) rest ^= 0x82f63b78;
    }
  }
  return ~rest;
}

/// rotate right by 15 and add, in 64 bits.
std::uint32_t mask(std::uint64_t crc) {
  return std::uint32_t((crc / (1 << 15) + crc * (1 << 17) + 0xa282ead8) % (std::uint64_t(1) << 32));
}

std::uint64_t number_at(const std::string& bytes, std::size_t at, int size) {
  std::uint64_t value = 0;
  for (int i = size; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes.at(at + std::size_t(i)));
  }
  return value;
}

/// The payloads of a file, which has to hold whole records with right sums and nothing else.
std::vector<std::string> records_in(const std::string& bytes) {
  std::vector<std::string> payloads;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = number_at(bytes, at, 8);
    REQUIRE(number_at(bytes, at + 8, 4) == mask(slow_crc(bytes.substr(at, 8))));
    const std::string payload = bytes.substr(at + 12, length);
    REQUIRE(payload.size() == length);
    REQUIRE(number_at(bytes, at + 12 + length, 4) == mask(slow_crc(payload)));
    payloads.push_back(payload);
    at += 16 + length;
  }
  return payloads;
}

std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) {
      found.push_back(entry.path());
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::string> records_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return records_in(text.str());
}

const EvaluationEvent kEvaluation{.time = 2, .version = 3, .steps = {100, 200}, .test_error = 0.5};

double value_of(const Scalars& scalars, const std::string& tag) {
  const auto found = std::ranges::find(scalars.values, tag, &Scalar::tag);
  REQUIRE(found != scalars.values.end());
  return found->value;
}

}  // namespace

TEST_CASE("the check sum is CRC-32C") {
  CHECK(crc32c("123456789") == 0xe3069283);  // RFC 3720 and others
  CHECK(slow_crc("123456789") == 0xe3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);  // RFC 3720, B.4
  CHECK(crc32c("") == 0);
  CHECK(records_in(tf_record("") + tf_record("text")) == std::vector<std::string>{"", "text"});
}

TEST_CASE("an event file holds whole records: version, start, values, end") {
  const testing::TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", "run");
  const Config config;
  EventFile events(run, config);
  events.begin();
  events.log(kEvaluation);
  events.log(WarningEvent{"no number"});
  events.end(RunStatus::done);
  const auto files = event_files(folder / "run");
  REQUIRE(files.size() == 1);
  const auto records = records_of(files[0]);
  REQUIRE(records.size() == 5);
  CHECK(
      records[0].ends_with("\x1a\x0d"
                           "brain.Event:2"));
  CHECK(records[1].ends_with(std::string("\x10\x00\x3a\x02\x08\x01", 6)));  // starts after step 0
  CHECK(records[2].find("algorithm.tau") != std::string::npos);
  CHECK(records[2].find("data.dir") == std::string::npos);
  // step 300; a summary; its first value: tag and float
  CHECK(records[3].substr(9, 4) == "\x10\xac\x02\x2a");
  CHECK(records[3].find(std::string("\x0a\x18\x0a\x11"
                                    "center/test_error\x15\x00\x00\x00\x3f",
                                    26)) != std::string::npos);
  CHECK(records[4].find("session_end_info") != std::string::npos);
}

TEST_CASE("a run that goes on has another event file, and says from where") {
  const testing::TemporaryFolder folder;
  {
    RunFolder run = RunFolder::create(folder / "run", "run");
    EventFile(run, Config()).begin();
    run.keep();
  }
  RunFolder again = RunFolder::reopen(folder / "run");
  const Config config;
  EventFile events(again, config);
  events.begin(300);
  const auto files = event_files(folder / "run");
  REQUIRE(files.size() == 2);
  CHECK(records_of(files[0]).size() == 3);
  CHECK(records_of(files[1])[1].ends_with("\x10\xac\x02\x3a\x02\x08\x01"));
}

TEST_CASE("a disk that is full costs events, and now and then a warning") {
  const testing::TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", "run");
  std::vector<std::string> complaints;
  run.on_warning = [&](const std::string& complaint) { complaints.push_back(complaint); };
  const Config config;
  EventFile events(run, config);
  events.begin();
  const auto file = event_files(folder / "run").at(0);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = fs::file_size(file) + 40;
  setrlimit(RLIMIT_FSIZE, &small);
  for (int i = 1; i <= 3; ++i) events.log(kEvaluation);
  setrlimit(RLIMIT_FSIZE, &before);
  events.end(RunStatus::failed);
  REQUIRE(complaints.size() == 2);
  CHECK(complaints[0] == file.string() + ": cannot be written: File too large; the run goes on");
  CHECK(records_of(file).size() == 4);
}

TEST_CASE("an event file belongs to its run: it is taken back, and never mixed with another's") {
  const testing::TemporaryFolder folder;
  {
    RunFolder run = RunFolder::create(folder / "run", "run");
    EventFile(run, Config()).begin();
  }
  CHECK_FALSE(fs::exists(folder / "run"));
  fs::create_directory(folder / "run");
  std::ofstream(folder / "run/events.out.tfevents.1.host") << "";
  CHECK_THROWS_WITH_AS(RunFolder::create(folder / "run", "run"),
                       doctest::Contains("another's events.out.tfevents.1.host"), ConfigError);
}

TEST_CASE("the numbers of events have names, and steps of all workers as their place") {
  const Scalars evaluation = scalars_of(kEvaluation, "center/virtual_seconds");
  CHECK(evaluation.step == 300);
  CHECK(value_of(evaluation, "center/virtual_seconds") == 2);
  CHECK(value_of(evaluation, "center/test_error") == 0.5);
  ProgressEvent event{.seconds = 5, .fraction = 0.25, .workers = {{}, {.worker = 1, .steps = 20}}};
  event.workers[1].gradient_seconds = 3;
  event.workers[1].exchange_seconds = 1;
  const Scalars progress = scalars_of(event, "center/seconds");
  CHECK(progress.step == 20);
  CHECK(value_of(progress, "run/fraction") == 0.25);
  CHECK(value_of(progress, "exchange_wait_fraction/worker_1") == 0.25);
  CHECK(value_of(progress, "exchange_wait_fraction/worker_0") == 0);
  CHECK(std::isnan(value_of(progress, "worker_train_loss/worker_1")));
  CHECK(scalars_of(WarningEvent{"text"}, "").values.empty());
}
