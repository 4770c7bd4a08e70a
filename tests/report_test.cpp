// What many runs come to: reading, axes, statistics, tables.

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "base/error.h"
#include "base/fnv1a.h"
#include "config/flat_table.h"
#include "report/axes.h"
#include "report/comparison.h"
#include "report/csv.h"
#include "report/curves.h"
#include "report/devices.h"
#include "report/find_runs.h"
#include "report/markdown.h"
#include "report/page.h"
#include "report/speed_up.h"
#include "report/statistics.h"
#include "report/study.h"
#include "runs/manifest.h"
#include "runs/run_folder.h"
#include "tests/program.h"
#include "tests/temporary_folder.h"

using namespace easgd;
using namespace easgd::report;
using doctest::Approx;
using easgd::testing::check_one_line;
using easgd::testing::program;
using easgd::testing::TemporaryFolder;

namespace {

namespace fs = std::filesystem;
using Settings = std::map<std::string, std::string>;

ReportedRun run_of(const std::string& method, int tau, int seed, double error) {
  ReportedRun run;
  run.folder = fmt::format("runs/{}-{}-{}", method, tau, seed);
  run.identity = fmt::format("{}{}{}", method, tau, seed);
  run.status = "done";
  run.settings = {{"algorithm.name", method},
                  {"algorithm.tau", std::to_string(tau)},
                  {"seed", std::to_string(seed)}};
  RunSummary& s = run.summary.emplace();
  s.algorithm = method;
  s.workers = 4;
  s.test_error = s.best_test_error = error;
  s.wall_seconds = 10;
  s.images_per_second = 1000;
  return run;
}

/// Two settings; the second's errors are the first's and these differences, a seed each.
Study study_with(const std::vector<double>& differences) {
  std::vector<ReportedRun> runs;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    const double error = 0.1 + 0.01 * double(i);  // seeds differ more than settings
    runs.push_back(run_of("easgd", 1, int(i), error));
    runs.push_back(run_of("easgd", 4, int(i), error + differences[i]));
  }
  return make_study(std::move(runs));
}

Verdict verdict_on(const std::vector<double>& differences) {
  return compare(study_with(differences), test_error)[1].verdict;
}

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

const std::string kEvaluation =
    R"({"event":"evaluation","time":1,"version":3,"steps":[4],"epoch":0.5,"train_loss":1,)"
    R"("test_loss":2,"test_error":0.5})"
    "\n";

/// A run of a few lines.
void write_run(const fs::path& folder, int seed = 1, const std::string& more = "") {
  write(folder / "config.toml", fmt::format("name = \"{}\"\nseed = {}\n{}[algorithm]\nname = "
                                            "\"easgd\"\ntau = 4\n",
                                            folder.filename().string(), seed, more));
  write(folder / "metrics.jsonl", kEvaluation);
  write(folder / "summary.json",
        R"({"status":"done","algorithm":"easgd","workers":2,"test_error":0.5,"wall_seconds":3})");
}

std::vector<std::string> names_of(const std::vector<Found>& all) {
  std::vector<std::string> names;
  for (const Found& one : all) names.push_back(one.folder.filename().string());
  return names;
}

}  // namespace

TEST_CASE("a spread is what NumPy makes of the same numbers") {
  const double values[] = {0.1495, 0.141, 0.1455, 0.1525, 0.15, 0.1389};
  const Spread s = spread_of(values);
  CHECK(s.count == 6);
  CHECK(s.mean == Approx(0.14623333333333333));
  CHECK(s.deviation == Approx(0.005400617248673219));  // std(ddof=1)
  CHECK(s.lower == Approx(0.142125));                  // quantile(0.25)
  CHECK(s.upper == Approx(0.149875));
  CHECK(s.smallest == 0.1389);
  CHECK(s.largest == 0.1525);
  CHECK(spread_of({}).count == 0);
  CHECK(spread_of(std::vector{2.0}).deviation == 0);
}

TEST_CASE("the bootstrap of five values is what all 3125 resamples come to") {
  const std::vector<double> v = {0.3, -0.1, 0.45, 0.2, 0.9};
  std::vector<double> means;
  for (int i = 0; i < 3125; ++i) {
    double sum = 0;
    for (int rest = i, k = 0; k < 5; ++k, rest /= 5) sum += v[std::size_t(rest % 5)];
    means.push_back(sum / 5);
  }
  std::ranges::sort(means);
  // t(4) = 2.776 at 0.975, so that the tails are Phi(-sqrt(5/4) 2.776) = 0.000956.
  const Interval i = interval_of_mean(v);
  CHECK(i.low == Approx(means[2]).epsilon(0.15));
  CHECK(i.high == Approx(means[3122]).epsilon(0.05));
}

TEST_CASE("the bootstrap interval of many values is the normal one") {
  std::vector<double> v(400);
  std::iota(v.begin(), v.end(), 0.0);
  const Spread s = spread_of(v);
  const Interval i = interval_of_mean(v);
  const double half = 1.96 * s.deviation / std::sqrt(400.0);
  CHECK(i.low == Approx(s.mean - half).epsilon(0.01));
  CHECK(i.high == Approx(s.mean + half).epsilon(0.01));
}

TEST_CASE("the bootstrap interval moves and grows with its values, and is the same each time") {
  const std::vector<double> v = {1, 4, 2, 8, 5, 7};
  std::vector<double> moved;
  for (const double x : v) moved.push_back(10 + 3 * x);
  const Interval a = interval_of_mean(v), b = interval_of_mean(moved);
  CHECK(b.low == Approx(10 + 3 * a.low));
  CHECK(b.high == Approx(10 + 3 * a.high));
  CHECK(interval_of_mean(v).low == a.low);
}

TEST_CASE("the interval of two to four values is Student's") {
  // t(1) = 12.706, t(2) = 4.303; deviations 1.41421 and 2.08167.
  const Interval two = interval_of_mean(std::vector{3.0, 1.0});
  CHECK(two.low == Approx(2 - 12.706));
  CHECK(two.high == Approx(2 + 12.706));
  const Interval three = interval_of_mean(std::vector{2.0, 5.0, 1.0});
  CHECK(three.low == Approx(8.0 / 3 - 4.303 * 2.08167 / std::sqrt(3.0)));
  CHECK(three.high == Approx(8.0 / 3 + 4.303 * 2.08167 / std::sqrt(3.0)));
}

TEST_CASE("the interval of five values holds their true mean in nine cases of ten and more") {
  // Sums of twelve uniform numbers, less six: nearly normal, of mean 0.
  std::uint64_t state = 1;
  const auto uniform = [&state] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return double(state >> 11) * 0x1p-53;
  };
  int held = 0;
  constexpr int kTimes = 400;
  for (int n = 0; n < kTimes; ++n) {
    std::vector<double> v(5, -6.0);
    for (double& x : v)
      for (int k = 0; k < 12; ++k) x += uniform();
    held += interval_of_mean(v).holds(0);
  }
  CHECK(held > 0.88 * kTimes);
  CHECK(held < 0.985 * kTimes);
}

TEST_CASE("verdicts") {
  CHECK(verdict_on({0.02, 0.03, 0.02, 0.025, 0.02}) == Verdict::higher);
  CHECK(verdict_on({0.02, -0.01, 0.02, -0.015, 0.01}) == Verdict::not_distinguishable);
  CHECK(verdict_on({0, 0, 0, 0, 0.001}) == Verdict::not_distinguishable);
  CHECK(verdict_on({0.02, 0.03, 0.02, 0.025}) == Verdict::too_few_seeds);
  CHECK(verdict_on({0.02, 0.03}) == Verdict::not_distinguishable);
  CHECK(verdict_on({0.02}) == Verdict::one_seed);
  CHECK(words_of(Verdict::not_distinguishable) == "not distinguishable");
}

TEST_CASE("differences are paired by seed, which unpaired means hide") {
  const auto c = compare(study_with({0.002, 0.003, 0.002, 0.003, 0.002, 0.003}), test_error);
  CHECK(c[0].verdict == Verdict::best);
  CHECK(c[1].difference == Approx(0.0025));
  CHECK(c[1].interval->low > 0.0019);
  CHECK(c[1].spread.deviation > 5 * c[1].difference);
  CHECK(c[1].verdict == Verdict::higher);
}

TEST_CASE("only runs that have come to their end are compared") {
  Study study = study_with({0.02, 0.03, 0.02, 0.03, 0.02});
  for (const char* status : {"running", "interrupted", "failed", "unfinished", "stopped_early"}) {
    study.runs[1].status = status;
    CHECK(compare(study, test_error)[1].spread.count == 4);
  }
  study.runs[1].status = "diverged";
  CHECK(compare(study, test_error)[1].spread.count == 5);
  study.runs[1].summary->test_error = RunSummary::kNone;
  CHECK(compare(study, test_error)[1].spread.count == 4);
  for (ReportedRun& run : study.runs) run.status = "running";
  CHECK(compare(study, test_error)[0].verdict == Verdict::none);
}

TEST_CASE("a lucky setting of one seed is not the best") {
  std::vector<ReportedRun> runs = {run_of("easgd", 1, 1, 0.2), run_of("easgd", 1, 2, 0.2),
                                   run_of("easgd", 1, 3, 0.2), run_of("easgd", 4, 4, 0.1)};
  const Study study = make_study(std::move(runs));
  const auto c = compare(study, test_error);
  CHECK(c[0].verdict == Verdict::best);
  CHECK(c[1].verdict == Verdict::no_common_seed);
}

TEST_CASE("a setting that has one seed more, on which it diverged, is not the best") {
  std::vector<ReportedRun> runs;
  for (int seed = 1; seed <= 6; ++seed) {
    runs.push_back(run_of("easgd", 1, seed, seed == 6 ? 0.9 : 0.1 + 0.001 * (seed % 2)));
    if (seed < 6) runs.push_back(run_of("easgd", 4, seed, 0.11 + 0.001 * seed));
  }
  const auto c = compare(make_study(std::move(runs)), test_error);
  CHECK(c[1].verdict == Verdict::best);
  CHECK(c[0].difference < 0);
  CHECK(c[0].verdict == Verdict::lower);
}

TEST_CASE("speed-up is a geometric mean over the seeds of both") {
  std::vector<ReportedRun> runs;
  for (int seed = 1; seed <= 5; ++seed) {
    runs.push_back(run_of("msgd", 1, seed, 0.1));
    runs.back().summary->workers = 1;
    runs.back().summary->time_to_error = {{"0.2", 80.0 * seed}};
    runs.push_back(run_of("easgd", 4, seed, 0.1));
    runs.back().summary->time_to_error = {{"0.2", 20.0 * seed}, {"0.15", 30.0}};
  }
  runs.back().summary->time_to_error = {};  // one seed does not get there
  const auto levels = speed_levels(make_study(runs));
  REQUIRE(levels.size() == 2);
  CHECK(levels[0].level == "0.2");
  REQUIRE(levels[0].rows.size() == 2);
  const SpeedRow &easgd = levels[0].rows[0], &msgd = levels[0].rows[1];
  CHECK(msgd.is_baseline);
  CHECK(*msgd.speed_up == Approx(1));
  CHECK(easgd.reached == 4);
  CHECK(easgd.of == 5);
  CHECK(*easgd.speed_up == Approx(4));
  CHECK(easgd.interval->low == Approx(4));
  CHECK(easgd.interval->high == Approx(4));
  CHECK_FALSE(levels[1].rows[0].speed_up);  // nobody with one worker reaches 15 %
}

TEST_CASE("virtual and real seconds are not compared") {
  std::vector<ReportedRun> runs = {run_of("msgd", 1, 1, 0.1), run_of("easgd", 4, 1, 0.1)};
  for (ReportedRun& run : runs) run.summary->time_to_error = {{"0.2", 8.0}};
  runs[0].summary->workers = 1;
  runs[1].summary->virtual_seconds = 10;
  const auto levels = speed_levels(make_study(runs));
  for (const SpeedRow& row : levels[0].rows) {
    CHECK(row.speed_up.has_value() == row.is_baseline);
  }
}

TEST_CASE("axes are what configurations differ in, without names, seeds and places") {
  std::vector<ReportedRun> runs = {run_of("easgd", 16, 1, 0.1), run_of("easgd", 4, 2, 0.1),
                                   run_of("eamsgd", 4, 2, 0.1)};
  runs[0].settings.merge(Settings{{"name", "a"}, {"data.dir", "/a"}, {"data.mean", "[1]"}});
  runs[2].settings["algorithm.momentum"] = "0.9";
  runs[2].settings["network.layer[0].type"] = "linear";
  runs[2].settings["network.layer[0].outputs"] = "10";
  const Study study = make_study(runs);
  std::vector<std::string> keys;
  for (const Axis& axis : study.axes) keys.push_back(axis.key);
  CHECK(keys == std::vector<std::string>{"algorithm.name", "algorithm.tau", "algorithm.momentum",
                                         "network.layer"});
  CHECK(study.axes[1].values == std::vector<std::string>{"4", "16"});
  CHECK(study.groups.size() == 3);
  CHECK(value_of(runs[2], "network.layer").starts_with("1 layer, "));
}

TEST_CASE("groups are labelled by what tells them apart, and hold all seeds") {
  std::vector<ReportedRun> runs;
  for (int seed = 1; seed <= 3; ++seed) {
    for (const char* rho : {"0.1", "1"}) {
      runs.push_back(run_of("easgd", 4, seed, 0.1));
      runs.back().settings["algorithm.rho"] = rho;
      runs.back().settings["workers.devices"] = R"(["cpu", "cpu"])";
    }
  }
  runs.push_back(run_of("msgd", 4, 1, 0.1));
  runs.push_back(ReportedRun());  // nothing is known of it
  const Study study = make_study(runs);
  std::vector<std::string> labels;
  for (const Group& group : study.groups) labels.push_back(group.label);
  CAPTURE(fmt::format("{}", fmt::join(labels, ", ")));
  CHECK(labels == std::vector<std::string>{"easgd p=2 rho=0.1", "easgd p=2 rho=1", "msgd"});
  CHECK(study.groups[0].runs == std::vector<std::size_t>{0, 2, 4});
}

TEST_CASE("runs of a sweep with another base are groups of their own") {
  std::vector<ReportedRun> runs;
  for (int seed = 1; seed <= 2; ++seed) {
    for (const char* batch : {"20", "40"}) {
      runs.push_back(run_of("easgd", 4, seed, 0.1));
      runs.back().settings["workers.batch"] = batch;
    }
    runs.push_back(run_of("msgd", 4, seed, 0.1));
    runs.back().settings["algorithm.momentum"] = "0.9";  // goes with the method
    runs.back().settings["workers.batch"] = "20";
  }
  ReportedRun waiting;
  waiting.is_planned = true;
  waiting.settings = {{"algorithm.name", "msgd"}, {"seed", "3"}};
  runs.push_back(waiting);
  const Study study = make_study(runs, {"algorithm.name"});
  std::vector<std::string> labels;
  for (const Group& group : study.groups) labels.push_back(group.label);
  CAPTURE(fmt::format("{}", fmt::join(labels, ", ")));
  REQUIRE(study.axes.size() == 2);
  CHECK(study.axes[1].key == "workers.batch");
  CHECK(labels ==
        std::vector<std::string>{"easgd batch=20", "easgd batch=40", "msgd batch=20", "msgd"});
  CHECK(study.groups[0].runs == std::vector<std::size_t>{0, 3});
}

TEST_CASE("what a sweep has only planned makes no axis") {
  std::vector<ReportedRun> runs = {run_of("easgd", 4, 1, 0.1), run_of("easgd", 16, 1, 0.1)};
  for (ReportedRun& run : runs) run.settings["workers.batch"] = "20";
  ReportedRun waiting;
  waiting.is_planned = true;
  waiting.settings = {{"algorithm.tau", "64"}, {"seed", "1"}};
  runs.push_back(waiting);
  const Study study = make_study(runs);
  REQUIRE(study.axes.size() == 1);
  CHECK(study.axes[0].values == std::vector<std::string>{"4", "16", "64"});
}

TEST_CASE("equal devices are written in one way, and counted") {
  for (const char* value : {R"(["cpu", "cpu", "cpu", "cpu"])", "4 x cpu", R"(["4 x cpu"])",
                            R"(["2 x cpu", "cpu", "cpu"])"}) {
    CHECK(device_words(value) == "4 x cpu");
    CHECK(devices_in(value).size() == 4);
    CHECK(words_of("workers.devices", value) == "p=4");
  }
  CHECK(device_words("cpu") == "1 x cpu");
  CHECK(device_words(R"(["cuda:0", "2 x cpu"])") == R"(["cuda:0", "cpu", "cpu"])");
  CHECK(device_words("auto") == "auto");
  CHECK(device_words("") == "");
}

TEST_CASE("a study of p that is not finished has a group for each p, by its size") {
  const TemporaryFolder folder;
  PlanEvent plan;
  plan.axes = {"workers.devices"};
  for (const char* p : {"1", "4", "16"}) {
    for (int seed = 1; seed <= 2; ++seed) {
      const std::string id = fmt::format("{}-{}", p, seed);
      plan.runs.push_back({.identity = id, .folder = "runs/" + id, .seed = seed});
      plan.runs.back().values = {{"workers.devices", fmt::format("{} x cpu", p)}};
    }
  }
  plan.runs[0].values = plan.runs[1].values = {{"workers.devices", "cpu"}};
  write_run(folder.path() / "runs" / "4-1", 1,
            "workers.devices = [\"cpu\", \"cpu\", \"cpu\", \"cpu\"]\n");
  write_run(folder.path() / "runs" / "1-2", 2, "workers.devices = [\"cpu\"]\n");
  Manifest(folder.path()).write(plan);
  const Study study = read_study({folder.string()});
  std::vector<std::string> labels;
  for (const Group& group : study.groups) labels.push_back(group.label);
  CHECK(labels == std::vector<std::string>{"p=1", "p=4", "p=16"});
  for (const Group& group : study.groups) CHECK(group.runs.size() == 2);
}

TEST_CASE("hashes are those of the published test vectors") {
  CHECK(fnv1a("") == 0xcbf29ce484222325);
  CHECK(fnv1a("a") == 0xaf63dc4c8601ec8c);
  CHECK(fnv1a("foobar") == 0x85944171f73967e8);
}

TEST_CASE("a text with a line break stays in its line, and is told from others") {
  const TemporaryFolder folder;
  const auto table_of = [&folder](const std::string& toml) {
    write(folder.path() / "a.toml", toml);
    return config::flat_table(folder.path() / "a.toml");
  };
  CHECK(table_of("a = \"one\\ntwo\"\n").at("a") == "\"one\\u000atwo\"");
  CHECK(table_of("a = \"one two\"\n").at("a") == "one two");
  CHECK(table_of("a = [\"one\\ntwo\"]\n").at("a") == "[\"one\\u000atwo\"]");
  std::vector<ReportedRun> runs = {run_of("easgd", 1, 1, 0.1), run_of("ea\nsgd", 1, 1, 0.2)};
  const std::string text = markdown_of(make_study(runs));
  CHECK(text.find("| ea sgd |") != text.npos);
}

TEST_CASE("curves are thinned to their ends and points at even distances") {
  ReportedRun run;
  for (int i = 0; i <= 100; ++i) {
    run.evaluations.push_back({.time = double(i), .epoch = i / 10.0, .test_error = 1.0 / (i + 1)});
  }
  const Curve curve = curve_of(run, 11);
  std::vector<double> times;
  for (int i = 0; i <= 10; ++i) times.push_back(10.0 * i);
  CHECK(curve[seconds] == times);
  CHECK(curve[test_error_column].back() == 1.0 / 101);
  CHECK(curve_of(run, 1000)[seconds].size() == 101);
  CHECK(curve_of(ReportedRun(), 11)[seconds].empty());
}

TEST_CASE("a band lies where all curves are") {
  // y = 1 - x/10 from 0 to 10, and y = 2 - x/10 from 2 to 8, with another grid and a gap.
  ReportedRun a, b;
  for (const double x : {0.0, 5.0, 10.0}) {
    a.evaluations.push_back({.time = x, .test_error = 1 - x / 10});
  }
  for (const double x : {2.0, 3.0, 8.0}) {
    b.evaluations.push_back({.time = x, .test_error = 2 - x / 10});
  }
  b.evaluations[1].test_error = RunSummary::kNone;
  const Curve curves[] = {curve_of(a, 50), curve_of(b, 50)};
  const Band band = band_of({&curves[0], &curves[1]}, seconds, test_error_column, 4);
  CHECK(band.x == std::vector<double>{2, 4, 6, 8});
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(band.mean[i] == Approx(1.5 - band.x[i] / 10));
    CHECK(band.low[i] == Approx(1 - band.x[i] / 10));
    CHECK(band.high[i] == Approx(2 - band.x[i] / 10));
  }
  CHECK(band_of({&curves[0]}, seconds, test_error_column, 4).x.empty());
}

TEST_CASE("runs are found in any mix of folders, once, in the order in which people count") {
  const TemporaryFolder folder;
  for (const char* name : {"s10", "s2", "s1", "deep/er/x", ".hidden/y"}) {
    write_run(folder.path() / name);
  }
  fs::create_directories(folder.path() / "empty");
  fs::create_directories(folder.path() / "notes" / "more");
  const auto found = find_runs({folder.string(), folder / "s2"});
  CHECK(names_of(found) == std::vector<std::string>{"x", "empty", "s1", "s2", "s10"});
  CHECK_THROWS_WITH_AS(find_runs({folder / "notes"}), doctest::Contains("no run in it"), DataError);
  CHECK_THROWS_WITH_AS(find_runs({folder / "not"}), doctest::Contains("not found"), DataError);
  CHECK_THROWS_WITH_AS(find_runs({folder / "s1/config.toml"}), doctest::Contains("is no folder"),
                       DataError);
}

TEST_CASE("a damaged file costs what is damaged") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "run";
  write_run(path);
  CHECK(read_reported_run(path).notes.empty());
  CHECK(read_reported_run(path).evaluations.size() == 1);

  write(path / "metrics.jsonl", "{{{\n" + kEvaluation + "[]\n" + R"({"event":"eval)");
  ReportedRun run = read_reported_run(path);
  CHECK(run.evaluations.size() == 1);
  REQUIRE(run.notes.size() == 3);
  CHECK(run.notes[0] == "metrics.jsonl:1: is not valid JSON; the line is left out");
  CHECK(run.notes[2] == "metrics.jsonl:4: has no end; the line is left out");

  write(path / "summary.json", "{");
  CHECK(read_reported_run(path).status == "unreadable");
  CHECK(read_reported_run(path).settings.at("algorithm.tau") == "4");
  write(path / "summary.json", R"({"status": "a new word", "tau": 4})");
  CHECK(read_reported_run(path).status == "a new word");
  write(path / "summary.json", R"({"status": "done", "tau": "four"})");
  CHECK(read_reported_run(path).notes[0].starts_with("summary.json: tau: expected an integer"));

  write(path / "config.toml", "= 4");
  CHECK(read_reported_run(path).notes[1].starts_with("config.toml:1: not valid TOML"));
  fs::remove_all(path);
  fs::create_directories(path);
  CHECK(read_reported_run(path).status == "unreadable");
}

TEST_CASE("a run's identity is what its summary says, or it is not known") {
  const TemporaryFolder folder;
  write_run(folder.path() / "run");
  CHECK(read_reported_run(folder / "run").identity.empty());
  write(folder.path() / "run" / "summary.json", R"({"status":"done","identity":"a1b2c3d4e5f6"})");
  CHECK(read_reported_run(folder / "run").identity == "a1b2c3d4e5f6");
}

TEST_CASE("a run that is going on is told from one that was killed") {
  const TemporaryFolder folder;
  {
    RunFolder at_work = RunFolder::create(folder / "run", "");
    at_work.keep();
    at_work.log(EvaluationEvent{.test_error = 0.5});
    CHECK(read_reported_run(folder / "run").status == "running");
  }
  CHECK(read_reported_run(folder / "run").status == "unfinished");
}

TEST_CASE("sweeps are found among runs") {
  const TemporaryFolder folder;
  write_run(folder.path() / "sweeps" / "one" / "runs" / "aa");
  write_run(folder.path() / "sweeps" / "one" / "runs" / "left-out");
  write_run(folder.path() / "single");
  PlanEvent plan;
  plan.runs.push_back({.identity = "aa", .folder = "runs/aa", .seed = 1});
  Manifest(folder.path() / "sweeps" / "one").write(plan);
  CHECK(read_study({folder.string()}).runs.size() == 2);
}

TEST_CASE("a sweep's runs are those of its plan, also those that wait or have failed") {
  const TemporaryFolder folder;
  write_run(folder.path() / "runs" / "aa");
  write_run(folder.path() / "runs" / "left-out");
  std::optional<Manifest> held(folder.path());
  Manifest& manifest = *held;
  PlanEvent plan;
  plan.axes = {"algorithm.tau"};
  for (const char* id : {"aa", "bb", "cc"}) {
    plan.runs.push_back({.identity = id, .folder = std::string("runs/") + id, .seed = 1});
    plan.runs.back().values = {{"algorithm.tau", id[0] == 'a' ? "4" : "16"}};
  }
  manifest.write(plan);
  StateEvent failed;
  failed.identity = "cc";
  failed.state = RunState::failed;
  failed.reason = "data: no such set";
  manifest.write(failed);
  StateEvent running;  // the sweep was killed: nobody is at work in the folder
  running.identity = "aa";
  running.state = RunState::running;
  manifest.write(running);
  const Study study = read_study({folder.string()});
  REQUIRE(study.runs.size() == 3);
  CHECK(study.runs[0].status == "done");
  CHECK(study.runs[1].status == "waiting");
  CHECK(study.runs[2].status == "failed");
  CHECK(study.runs[2].notes == std::vector<std::string>{"data: no such set"});
  CHECK(study.axes[0].values == std::vector<std::string>{"4", "16"});
  CHECK(read_study(
            {folder.path().parent_path().string() + "/" + folder.path().filename().string() + "/",
             folder.string(), folder / "runs/aa"})
            .runs.size() == 3);

  fs::remove(folder / "runs/aa/summary.json");
  CHECK(read_study({folder.string()}).runs[0].status == "unfinished");
  fs::remove_all(folder / "runs/aa");
  CHECK(read_study({folder.string()}).runs[0].status == "running");  // or about to be
  for (const RunState state : {RunState::paused, RunState::stopped_early}) {
    running.state = state;
    manifest.write(running);
    const std::string word = state == RunState::paused ? "missing" : "stopped_early";
    CHECK(read_study({folder.string()}).runs[0].status == word);
    CHECK_FALSE(read_study({folder.string()}).runs[0].is_complete());
  }
  running.state = RunState::running;
  manifest.write(running);
  held.reset();  // the sweep was killed
  CHECK(read_study({folder.string()}).runs[0].status == "missing");
  held.emplace(folder.path());
  running.state = RunState::done;
  held->write(running);
  const ReportedRun gone = read_study({folder.string()}).runs[0];
  CHECK(gone.status == "missing");
  CHECK_FALSE(gone.is_complete());
  CHECK(gone.notes == std::vector<std::string>{"was done, but its folder is gone"});
  write_run(folder.path() / "runs" / "aa");

  std::ofstream(folder.path() / "manifest.jsonl", std::ios::app) << "{{{\n";
  const Study damaged = read_study({folder.string()});
  CHECK(damaged.runs.size() == 3);  // also the one that waits
  REQUIRE(damaged.notes.size() == 1);
  CHECK(damaged.notes[0].ends_with("is not valid JSON; the line is left out"));
  const auto told = program("report --csv - " + folder.string());
  CHECK(told.text.find("warning: " + damaged.notes[0]) != std::string::npos);

  std::ofstream(folder.path() / "manifest.jsonl") << "{{{\n";
  const Study without = read_study({folder.string()});
  REQUIRE(without.runs.size() == 2);
  CHECK(without.runs[1].folder.filename() == "left-out");
}

TEST_CASE("cells of the CSV are quoted as RFC 4180 says") {
  std::vector<ReportedRun> runs = {run_of("easgd", 1, 1, 0.25), run_of("easgd", 4, 1, 0.5)};
  runs[0].folder = "a \"good\", run";
  runs[0].summary->time_to_error = {{"0.5", 1.5}, {"0.25", 3}};
  runs[1].summary.reset();
  runs[1].status = "running";
  CHECK(csv_of(make_study(runs)) ==
        "identity,status,seed,algorithm.tau,test_error,best_test_error,time_to_error.0.5,"
        "time_to_error.0.25,wall_seconds,virtual_seconds,images_per_second,folder\r\n"
        "easgd11,done,1,1,0.25,0.25,1.5,3,10,,1000,\"a \"\"good\"\", run\"\r\n"
        "easgd41,running,1,4,,,,,,,,runs/easgd-4-1\r\n");
}

TEST_CASE("the table for a README") {
  const std::string text = markdown_of(study_with({0.02, 0.03, 0.02, 0.025, 0.02}));
  CHECK(text.find("| tau=1 | 5 | 12.00 ± 1.58 % |  | lowest | 10 s |\n") != text.npos);
  CAPTURE(text);
  CHECK(text.find("| tau=4 | 5 | 14.30 ± 1.57 % | +2.30 [+2.") != text.npos);
}

TEST_CASE("what a name goes without is told beside it") {
  std::vector<ReportedRun> runs;
  for (const int tau : {1, 4}) {
    runs.push_back(run_of("easgd", tau, 1, 0.1 * tau));
    runs.back().settings["algorithm.learning_rate"] = tau == 1 ? "0.05" : "0.1";
  }
  const Study study = make_study(runs);
  CHECK(study.groups[0].label == "tau=1");
  CHECK(study.groups[0].unnamed == "learning_rate=0.05");
  CHECK(markdown_of(study).find("| tau=4 (learning_rate=0.1) |") != std::string::npos);
  CHECK(study_with({0.1}).groups[0].unnamed.empty());
}

TEST_CASE("a page holds what its runs say, and nothing that ends its script") {
  std::vector<ReportedRun> runs = {run_of("easgd", 1, 1, 0.25)};
  runs[0].folder = "</script><b>\xff";
  const std::string page = page_of(make_study(runs));
  CHECK(page.find("\\u003c/script>\\u003cb>\xef\xbf\xbd") != page.npos);
  CHECK(page.find("@STUDY@") == page.npos);
  CHECK(page.find("http://") == page.rfind("http://www.w3.org/2000/svg") - 0);
  const TemporaryFolder folder;
  write(folder.path() / "own", page);
  write(folder.path() / "other", "<html>" + std::string(1000, ' ') + "easgd report");
  CHECK(is_own_page(folder / "own"));
  CHECK_FALSE(is_own_page(folder / "other"));
}

TEST_CASE("the command writes where it may") {
  const TemporaryFolder folder;
  write_run(folder.path() / "runs" / "a");
  const std::string runs = folder / "runs", page = runs + "/report.html";
  const auto answer = program("report " + runs);
  CHECK(answer.code == 0);
  CHECK(answer.text.starts_with(page + ": 1 run, 1 group, "));
  CHECK(program("report " + runs).code == 0);  // over its own page
  write(page, "somebody's");
  check_one_line(program("report " + runs), 2, "is there, and no page of this program");
  CHECK(easgd::testing::bytes_of(page) == "somebody's");
  fs::remove(page);
  const auto table = program("report " + runs + " --csv - --markdown " + (folder / "t.md"));
  CHECK(table.text.starts_with("identity,status,seed,test_error"));
  CHECK(fs::exists(folder / "t.md"));
  CHECK_FALSE(fs::exists(page));  // tables alone were asked for
  check_one_line(program("report " + (folder / "none")), 3, "not found");
  check_one_line(program("report"), 2, "report: expected folders (");
  check_one_line(program("report " + runs + " --out " + (folder / "no/such/page.html")), 3,
                 "cannot be written");
}
