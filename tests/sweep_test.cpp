// From a sweep file to runs: what is varied, what is left out, what makes a run the run that it is.

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/error.h"
#include "settings/identity.h"
#include "settings/load.h"
#include "sweep/candidates.h"
#include "sweep/capacity.h"
#include "sweep/combinations.h"
#include "sweep/estimate.h"
#include "sweep/plan.h"
#include "sweep/rungs.h"
#include "sweep/sweep_table.h"
#include "temporary_folder.h"

using namespace easgd;
using easgd::testing::TemporaryFolder;

namespace {

const std::string kBase = R"(
[data]
set = "synthetic"
[algorithm]
name = "easgd"
beta = 0.9
[workers]
devices = ["cpu"]
[stop]
epochs = 1
[[network.layer]]
type = "linear"
outputs = 10
[[network.layer]]
type = "softmax_cross_entropy"
)";

using Words = std::vector<std::string>;

/// A sweep over a configuration in the same folder.
class Study {
 public:
  explicit Study(const std::string& sweep, const std::string& base = kBase) {
    std::ofstream(folder_ / "base.toml") << base;
    std::ofstream(file()) << "base = \"base.toml\"\n" + sweep;
  }
  std::string file() const { return folder_ / "study.toml"; }
  SweepFile read() const { return read_sweep_file(file()); }
  SweepPlan plan(const Words& overrides = {}) const { return plan_sweep(read(), overrides); }

  /// What is said against it, without the folder's name.
  std::string complaint(const Words& overrides = {}) const {
    try {
      plan(overrides);
    } catch (const ConfigError& e) {
      std::string line = e.what();
      CHECK(line.find('\n') == std::string::npos);
      const std::string prefix = folder_.string() + "/";
      if (line.starts_with(prefix)) line.erase(0, prefix.size());
      return line;
    }
    return "no error";
  }

 private:
  TemporaryFolder folder_;
};

/// The values of an axis, run by run.
Words values_of(const SweepPlan& plan, const std::string& key) {
  Words values;
  for (const SweepRun& run : plan.runs) values.push_back(run.planned.values.at(key));
  return values;
}

std::vector<std::int64_t> seeds_of(const SweepPlan& plan) {
  std::vector<std::int64_t> seeds;
  for (const SweepRun& run : plan.runs) seeds.push_back(run.planned.seed);
  return seeds;
}

std::set<std::string> identities_of(const SweepPlan& plan) {
  std::set<std::string> identities;
  for (const SweepRun& run : plan.runs) identities.insert(run.identity());
  return identities;
}

Config base_with(const Words& overrides) {
  const Study study("");
  return load_config(study.read().base, overrides);
}

}  // namespace

TEST_CASE("axes are crossed, the first one slowest, and seeds are an axis of their own") {
  const SweepPlan plan = Study(
                             "seeds = [5, 9]\n[axes]\nalgorithm.tau = [1, 4]\n"
                             "\"algorithm.learning_rate\" = [0.1, 0.2]\n")
                             .plan();
  CHECK(plan.axes == Words{"algorithm.tau", "algorithm.learning_rate"});
  CHECK(values_of(plan, "algorithm.tau") == Words{"1", "1", "1", "1", "4", "4", "4", "4"});
  CHECK(values_of(plan, "algorithm.learning_rate") ==
        Words{"0.1", "0.1", "0.2", "0.2", "0.1", "0.1", "0.2", "0.2"});
  CHECK(seeds_of(plan) == std::vector<std::int64_t>{5, 9, 5, 9, 5, 9, 5, 9});
  CHECK(plan.runs[7].config.algorithm.tau == 4);
  CHECK(plan.runs[7].config.algorithm.learning_rate == 0.2);
  CHECK(plan.runs[7].config.seed == 9);
  CHECK(identities_of(plan).size() == 8);
  CHECK(seeds_of(Study("seeds = 3\n").plan()) == std::vector<std::int64_t>{1, 2, 3});
}

TEST_CASE("ranges: equal distances, equal ratios, steps; integers where the key is one") {
  const auto values = [](const std::string& key, const std::string& range) {
    return values_of(Study("[axes]\n" + key + " = " + range + "\n").plan(), key);
  };
  CHECK(values("algorithm.rho", R"({min = 0.01, max = 100, points = 5, scale = "log"})") ==
        Words{"0.01", "0.1", "1", "10", "100"});
  CHECK(values("algorithm.rho", "{min = 1, max = 2, points = 5}") ==
        Words{"1", "1.25", "1.5", "1.75", "2"});
  CHECK(values("algorithm.tau", R"({min = 1, max = 64, points = 4, scale = "log"})") ==
        Words{"1", "4", "16", "64"});
  CHECK(values("algorithm.tau", "{min = 1, max = 3, points = 9}") == Words{"1", "2", "3"});
  CHECK(values("algorithm.tau", "{min = 2, max = 9, step = 3}") == Words{"2", "5", "8"});
  CHECK(values("algorithm.weight_decay", "{min = 0, max = 0.3, step = 0.1}") ==
        Words{"0", "0.1", "0.2", "0.3"});
}

TEST_CASE("groups are joined, each crossed inside and with what all have") {
  const SweepPlan plan = Study(R"(
[axes]
algorithm.tau = [1, 4]
[[group]]
algorithm.name = "easgd"
algorithm.learning_rate = [0.1, 0.2]
[[group]]
algorithm.name = ["eamsgd"]
algorithm.momentum = 0.5
)")
                             .plan();
  CHECK(values_of(plan, "algorithm.name") ==
        Words{"easgd", "easgd", "easgd", "easgd", "eamsgd", "eamsgd"});
  CHECK(values_of(plan, "algorithm.tau") == Words{"1", "4", "1", "4", "1", "4"});
  CHECK(values_of(plan, "algorithm.learning_rate") ==
        Words{"0.1", "0.1", "0.2", "0.2", "0.05", "0.05"});
  CHECK(plan.runs[5].config.algorithm.momentum == 0.5);
}

TEST_CASE("zipped keys go through their values together") {
  const SweepPlan plan = Study(R"(
[axes]
workers.batch = [16, 32]
[[zip]]
algorithm.tau = [1, 4, 16]
algorithm.learning_rate = [0.3, 0.2, 0.1]
)")
                             .plan();
  CHECK(values_of(plan, "algorithm.tau") == Words{"1", "4", "16", "1", "4", "16"});
  CHECK(values_of(plan, "algorithm.learning_rate") ==
        Words{"0.3", "0.2", "0.1", "0.3", "0.2", "0.1"});
  CHECK(Study("[[zip]]\nalgorithm.tau = [1, 2]\nworkers.batch = [1]\n").complaint() ==
        "study.toml:4: workers.batch: zipped keys go through their values together: expected 2 "
        "values, as of algorithm.tau; found 1");
}

TEST_CASE("random search draws from lists and ranges, and more runs keep those that were drawn") {
  const std::string rest =
      "method = \"random\"\n[axes]\nalgorithm.tau = [1, 4]\n"
      "algorithm.rho = {min = 0.01, max = 100, scale = \"log\"}\n";
  const SweepPlan few = Study("runs = 10\n" + rest).plan();
  const SweepPlan many = Study("runs = 400\n" + rest).plan();
  CHECK(few.runs.size() == 10);
  REQUIRE(many.runs.size() == 400);
  for (std::size_t i = 0; i < 10; ++i) CHECK(few.runs[i].identity() == many.runs[i].identity());
  std::size_t small = 0, ones = 0;
  for (const SweepRun& run : many.runs) {
    const double rho = run.config.algorithm.rho.value();
    CHECK(rho >= 0.01);
    CHECK(rho <= 100);
    small += rho < 1;
    ones += run.config.algorithm.tau == 1;
  }
  // Of 400 fair draws, five standard deviations are 50.
  CHECK(std::abs(double(small) - 200) < 50);
  CHECK(std::abs(double(ones) - 200) < 50);
}

TEST_CASE("what `require` forbids is left out; a key that a run does not have forbids nothing") {
  const auto taus = [](const std::string& condition) {
    const Study study("require = [\"" + condition +
                      "\"]\n[axes]\nalgorithm.tau = [1, 4, 16]\n"
                      "algorithm.learning_rate = [0.1, 0.5]\n");
    std::string result;
    for (const std::string& tau : values_of(study.plan(), "algorithm.tau")) result += tau + " ";
    return result;
  };
  CHECK(taus("algorithm.tau * algorithm.learning_rate <= 2") == "1 1 4 4 16 ");
  CHECK(taus("algorithm.tau > 1 and algorithm.learning_rate == 0.5") == "4 16 ");
  CHECK(taus("algorithm.tau == 1 or (algorithm.tau > 4 and algorithm.learning_rate < 0.2)") ==
        "1 1 16 ");
  CHECK(taus("(algorithm.tau + 1) * 2 < 11 - 2/2") == "1 1 ");
  CHECK(taus("algorithm.tau-1 == -3*-1") == "4 4 ");
  CHECK(taus("algorithm.name == 'easgd' and algorithm.tau != 4") == "1 1 16 16 ");
  CHECK(taus("algorithm.rho < 0 or algorithm.tau < 0") == "1 1 4 4 16 16 ");
  const auto complaint = [](const std::string& condition) {
    return Study("require = \"" + condition + "\"\n").complaint();
  };
  CHECK(complaint("algorithm.tua > 1") ==
        "study.toml:2: require: no configuration has the key algorithm.tua");
  CHECK(complaint("algorithm.tau >").find("expected a number, a text in quotes, or a dotted key") !=
        std::string::npos);
  CHECK(complaint("algorithm.tau").find("expected <, <=, >, >=, == or !=") != std::string::npos);
  CHECK(complaint("algorithm.tau > 1 2").find("expected the end") != std::string::npos);
  CHECK(complaint("algorithm.tau > 'a'").find("compares a number with a text") !=
        std::string::npos);
  CHECK(complaint("algorithm.name * 2 > 1").find("computes with a text") != std::string::npos);
  CHECK(complaint("algorithm.tau > 100").ends_with("require: leaves no run"));
}

TEST_CASE("adapt gives each method what it takes, and says so") {
  const std::string methods =
      "[axes]\nalgorithm.name = [\"easgd\", \"downpour\", \"allreduce\", \"lookahead\", "
      "\"mvasgd\"]\nalgorithm.tau = [1, 4]\n";
  const std::string base = [] {
    std::string text = kBase;
    return text.replace(text.find("[\"cpu\"]"), 7, "[\"cpu\", \"cpu\"]");
  }();
  const std::string complaint = Study(methods, base).complaint();
  CHECK(complaint.find("downpour has no elastic force: found beta") != std::string::npos);
  CHECK(complaint.find("adapt = true") != std::string::npos);
  CHECK(complaint.find("algorithm.name=downpour algorithm.tau=1") != std::string::npos);
  const SweepPlan plan = Study("adapt = true\n" + methods, base).plan();
  CHECK(values_of(plan, "algorithm.name") == Words{"easgd", "easgd", "downpour", "downpour",
                                                   "allreduce", "lookahead", "lookahead",
                                                   "mvasgd"});
  CHECK(plan.same == 2);  // allreduce has but one tau, and to mvasgd it means nothing
  const auto adapted = [&plan](std::size_t i) { return plan.runs[i].planned.adapted; };
  CHECK(adapted(0).empty());
  CHECK(adapted(2) == Words{"algorithm.beta="});
  CHECK(adapted(4) ==
        Words{"algorithm.exchange=synchronous", "algorithm.beta=", "algorithm.tau=1"});
  CHECK(adapted(5) == Words{"algorithm.beta=", "algorithm.alpha=0.5"});
  CHECK(adapted(7) ==
        Words{"algorithm.beta=", "algorithm.alpha=0.01", "workers.devices=cpu", "algorithm.tau=1"});
  CHECK(plan.runs[5].config.algorithm.alpha == 0.5);
  CHECK(plan.runs[7].config.workers.devices == Words{"cpu"});
}

TEST_CASE("values are those that the runs have, so that each can be told from the others") {
  const SweepPlan tables =
      Study("[axes]\nalgorithm.schedule = [{kind = \"cosine\"}, {kind = \"constant\"}]\n").plan();
  CHECK(values_of(tables, "algorithm.schedule") ==
        Words{"{kind = \"cosine\"}", "{kind = \"constant\"}"});
  const SweepPlan workers =
      Study("[axes]\nworkers.devices = [\"cpu\", \"4 x cpu\", [\"cpu\", \"cpu\"]]\n").plan();
  CHECK(values_of(workers, "workers.devices") == Words{"1 x cpu", "4 x cpu", "2 x cpu"});
}

TEST_CASE("random search over few values ends, and says so; a grid of too many is refused") {
  const SweepPlan plan =
      Study("method = \"random\"\nruns = 20\n[axes]\nalgorithm.tau = [1, 4, 16]\n").plan();
  CHECK(plan.runs.size() == 3);
  REQUIRE(plan.remarks.size() == 1);
  CHECK(plan.remarks[0].starts_with("random search has found 3 combinations, not 20"));
  std::string large = "[axes]\n";
  for (const char* key : {"rho", "learning_rate", "momentum", "weight_decay", "tau"}) {
    large += std::string("algorithm.") + key + " = {min = 0.1, max = 0.9, points = 9999}\n";
  }
  CHECK(Study(large).complaint().ends_with("has more than 100000 runs"));
}

TEST_CASE("a command line does not set aside the coupling that a sweep varies") {
  CHECK(Study("[axes]\nalgorithm.alpha = [0.1]\n")
            .complaint({"algorithm.rho=3"})
            .find("gives rho, alpha or beta itself") != std::string::npos);
}

TEST_CASE("an identity is of what is in the files that a configuration names") {
  const TemporaryFolder folder;
  std::ofstream(folder / "a") << "weights";
  std::ofstream(folder / "b") << "weights";
  std::ofstream(folder / "c") << "others";
  const auto from = [&folder](const char* name) {
    return identity_of(base_with({"network.init=" + (folder / name)}));
  };
  CHECK(from("a") == from("b"));
  CHECK(from("a") != from("c"));
  CHECK(from("a") != identity_of(base_with({})));
}

TEST_CASE("an identity is of what is in the folder of a set of one's own") {
  const TemporaryFolder folder;
  for (const auto& [name, pixel] :
       {std::pair("a", '\1'), std::pair("b", '\1'), std::pair("c", '\2')}) {
    std::filesystem::create_directory(folder / name);
    for (const char* file : {"/train.bin", "/test.bin"}) {
      std::ofstream(folder / name + file) << std::string(3073, pixel);
    }
  }
  const auto from = [&folder](const char* name) {
    return identity_of(base_with({"data.set=cifar_records", "data.dir=" + (folder / name)}));
  };
  CHECK(from("a") == from("b"));
  CHECK(from("a") != from("c"));
  CHECK(from("not there") != from("a"));
  std::filesystem::create_directory(folder / "d");
  std::filesystem::copy_file(folder / "a/test.bin", folder / "d/test.bin");
  std::string records(1000 * 3073, '\1');
  const auto identity_with = [&] {
    std::ofstream(folder / "d/train.bin") << records;
    // A name of its own each time: a process reads a folder once.
    static int copies = 0;
    const std::string name = "copy" + std::to_string(++copies);
    std::filesystem::copy(folder / "d", folder / name);
    return from(name.c_str());
  };
  const std::string before = identity_with();
  records[500 * 3073] = '\2';  // a label in the middle of a large file
  CHECK(identity_with() != before);
  const auto published = [](const char* dir) {
    return identity_of(base_with({"data.set=cifar10", std::string("data.dir=") + dir}));
  };
  CHECK(published("here") == published("there"));
}

TEST_CASE("lists of tables are told apart") {
  const SweepPlan plan =
      Study(
          "[axes]\nnetwork.layer = [[{type = \"linear\", outputs = 10}, "
          "{type = \"softmax_cross_entropy\"}], [{type = \"linear\", outputs = 20}, "
          "{type = \"relu\"}, {type = \"linear\", outputs = 10}, "
          "{type = \"softmax_cross_entropy\"}]]\n")
          .plan();
  REQUIRE(plan.runs.size() == 2);
  CHECK(plan.runs[0].planned.values != plan.runs[1].planned.values);
  CHECK(count_candidates(plan) == 2);
}

TEST_CASE("of rho, alpha and beta the sweep's takes the place of the base's") {
  const SweepPlan plan = Study("[axes]\nalgorithm.rho = [1, 2]\n").plan();
  CHECK(plan.runs[1].config.algorithm.rho == 2);
  CHECK(!plan.runs[1].config.algorithm.beta);
  CHECK(Study("[set]\nalgorithm.rho = 1\n[axes]\nalgorithm.alpha = [0.1]\n")
            .complaint()
            .find("takes exactly one of rho, alpha, beta") != std::string::npos);
}

TEST_CASE("keys of every run; an empty text takes one of the base away") {
  const SweepPlan plan =
      Study("[set]\nalgorithm.beta = \"\"\nalgorithm.rho = 3\nstop = {steps = 7}\n")
          .plan({"workers.batch=8"});
  REQUIRE(plan.runs.size() == 1);
  CHECK(plan.runs[0].config.algorithm.rho == 3);
  CHECK(plan.runs[0].config.stop.steps == 7);
  CHECK(!plan.runs[0].config.stop.epochs);
  CHECK(plan.runs[0].config.workers.batch == 8);
}

TEST_CASE("early stopping: rungs lie below the end of the runs, each eta times as far") {
  const auto rungs_in = [](const std::string& stop, const std::string& end) {
    Words rungs;
    for (const PausePoint& rung :
         Study("early_stop = {" + stop + "}\n[set]\n" + end + "\n").plan().rungs) {
      rungs.push_back(rung.text());
    }
    return rungs;
  };
  CHECK(rungs_in("first = {epochs = 1}", "stop.epochs = 27") ==
        Words{"epochs=1", "epochs=3", "epochs=9"});
  CHECK(rungs_in("eta = 2, first = {epochs = 0.1}, method = 'halving'", "stop.epochs = 0.7") ==
        Words{"epochs=0.1", "epochs=0.2", "epochs=0.4"});
  CHECK(rungs_in("first = {epochs = 0.1}", "stop.epochs = 1") ==
        Words{"epochs=0.1", "epochs=0.3", "epochs=0.9"});
  CHECK(rungs_in("eta = 10, first = {steps = 50}, metric = 'train_loss'", "stop.steps = 5001") ==
        Words{"steps=50", "steps=500", "steps=5000"});
}

TEST_CASE("wrong early stopping is a complaint about the sweep file's line") {
  const auto complaint = [](const std::string& stop, const std::string& rest = "") {
    return Study("seeds = 2\nearly_stop = " + stop + "\n" + rest).complaint();
  };
  const auto is_at_line = [&](const std::string& stop, const std::string& part) {
    const std::string text = complaint(stop);
    CAPTURE(text);
    CHECK(text.starts_with("study.toml:3: early_stop: "));
    CHECK(text.find(part) != std::string::npos);
  };
  is_at_line("\"halving\"", "expected a table; found \"halving\"");
  is_at_line("{}", "expected first");
  is_at_line("{first = {epochs = 0.1}, etta = 3}",
             "expected method, eta, first or metric; found etta");
  is_at_line("{first = {epochs = 0.1}, method = \"hyperband\"}", "found \"hyperband\"");
  is_at_line("{first = {epochs = 0.1}, eta = 1}", "expected an integer eta in 2..1000; found 1");
  is_at_line("{first = {epochs = 0.1}, eta = 2.5}", "found 2.5");
  is_at_line("{first = {epochs = 0.1}, metric = \"best\"}", "expected the metric test_error,");
  is_at_line("{first = 3}", "expected first = {epochs = <number>}");
  is_at_line("{first = {epochs = 0}}", "above 0; found {epochs = 0}");
  is_at_line("{first = {steps = 1.5}}", "found {steps = 1.5}");
  is_at_line("{first = {weeks = 1}}", "found {weeks = 1}");
  is_at_line("{first = {epochs = 1, steps = 2}}", "found {");
  is_at_line("{first = {epochs = 1}}", "below the end of the runs, stop.epochs = 1; found 1");
  is_at_line("{first = {epochs = 1e-320}}", "expected at most 20 rungs below stop.epochs = 1");
  is_at_line("{first = {epochs = 9.5e-7}, eta = 2}", "give a larger first, as 1.9e-06");
  CHECK(Study("early_stop = {first = {epochs = 1.9e-6}, eta = 2}\n").plan().rungs.size() == 20);
  is_at_line("{first = {steps = 1}}", "expected that all runs have stop.steps");
  CHECK(complaint("{first = {epochs = 1}}", "[axes]\nstop.epochs = [2, 3]\n")
            .ends_with("expected runs of one length; found stop.epochs = 2 and 3"));
  CHECK(complaint("{first = {epochs = 0.1}}", "[set]\ncheckpoint.keep = 0\n")
            .find("expected checkpoint.keep above 0") != std::string::npos);
}

TEST_CASE("what halving costs is told beforehand") {
  const SweepPlan plan = Study(
                             "early_stop = {first = {epochs = 1}}\n[axes]\nalgorithm.tau = "
                             "[1, 2, 3, 4, 5, 6, 7, 8, 9]\n[set]\nstop.epochs = 9\n")
                             .plan();
  const HalvingForecast expected = forecast(plan, 9);
  CHECK(expected.candidates == std::vector<std::size_t>{9, 3, 1});
  CHECK(expected.work == doctest::Approx((9 * 1 + 3 * 2 + 1 * 6) / 81.0));
  CHECK(forecast(plan, 2).candidates == std::vector<std::size_t>{2, 1, 1});
}

TEST_CASE("wrong keys and values are complaints about the sweep file's line") {
  const auto complaint = [](const std::string& text) { return Study(text).complaint(); };
  CHECK(complaint("[axes]\n\n\"algorithm.tauu\" = [1]\n") ==
        "study.toml:4: algorithm.tauu: unknown key; did you mean \"tau\"?");
  CHECK(complaint("[axes]\nalgorithm.tau = [1,\n0]\n") ==
        "study.toml:4: algorithm.tau: expected a value in 1..1000000000; found 0");
  CHECK(
      complaint("[set]\nalgorithm.name = \"easdg\"\n").starts_with("study.toml:3: algorithm.name"));
  CHECK(complaint("[axes]\n\"algorithm tau\" = [1]\n") ==
        "study.toml:3: algorithm tau: expected a dotted key, as algorithm.tau");
  CHECK(complaint("[axis]\n").starts_with("study.toml:2: axis: unknown key; did you mean"));
  CHECK(complaint("[axes]\nalgorithm.tau = []\n") ==
        "study.toml:3: algorithm.tau: expected at least one value; found []");
  CHECK(complaint("[axes]\nalgorithm.tau = {min = 1, max = 3}\n") ==
        "study.toml:3: algorithm.tau: a range in a grid needs points or step");
  CHECK(complaint("[axes]\nalgorithm.tau = {min = 1, max = 3, pionts = 2}\n")
            .find("a range has no pionts") != std::string::npos);
  CHECK(complaint("[axes]\nalgorithm.rho = {min = 0, max = 3, points = 2, scale = \"log\"}\n")
            .find("begins above 0") != std::string::npos);
  CHECK(complaint("[axes]\nalgorithm.rho = {min = 3, max = 1, points = 2}\n")
            .find("min 3 is above max 1") != std::string::npos);
  CHECK(complaint("[axes]\nalgorithm.rho = {min = 1, points = 2}\n")
            .find("a range needs the number max") != std::string::npos);
  CHECK(complaint("[axes]\nseed = [1, 2]\n").find("seeds are an axis of their own") !=
        std::string::npos);
  CHECK(complaint("[set]\nalgorithm.tau = 3\n[axes]\nalgorithm.tau = [1]\n") ==
        "study.toml:5: algorithm.tau: is set or varied twice; give it once for each group");
  CHECK(complaint("seeds = 0\n") ==
        "study.toml:2: seeds: expected an integer in 1..10000; found 0");
  CHECK(complaint("seeds = []\n").find("expected at least one seed") != std::string::npos);
  CHECK(complaint("method = \"random\"\n") ==
        "study.toml:2: method = \"random\" and runs = <n> go together");
  CHECK(complaint("runs = 3\n") == "study.toml:2: method = \"random\" and runs = <n> go together");
  CHECK(complaint("concurrent = \"many\"\n")
            .find("expected \"auto\" or an integer in 1..4096; found \"many\"") !=
        std::string::npos);
  CHECK(complaint("[[group]]\nalgorithm.tau = [1]\n[[group]]\nalgorithm.tau = [\"x\"]\n")
            .starts_with("study.toml:5: algorithm.tau: expected an integer"));
  CHECK(Study("[axes]\nalgorithm.tau = [1]\n")
            .complaint({"algorithm.tau=3"})
            .find("--set algorithm.tau=3: algorithm.tau is an axis of the sweep") == 0);
  CHECK(Study("").complaint({"algorithm.tauu=3"}).starts_with("--set algorithm.tauu=3: "));
}

TEST_CASE("an identity is of the configuration without names and places") {
  const std::string base = identity_of(base_with({}));
  CHECK(base.size() == 12);
  for (const char* same : {"name=other", "data.dir=/elsewhere", "algorithm.tau=10", "seed=1",
                           "workers.devices=1 x cpu", "profile.steps=[1, 2]"}) {
    CAPTURE(std::string(same));
    CHECK(identity_of(base_with({same})) == base);
  }
  for (const char* other : {"algorithm.tau=11", "seed=2", "stop.epochs=2", "algorithm.name=eamsgd",
                            "workers.devices=2 x cpu", "workers.threads=1", "data.limit=7",
                            "network.layer=[{type = \"softmax_cross_entropy\"}]"}) {
    CAPTURE(std::string(other));
    CHECK(identity_of(base_with({other})) != base);
  }
  CHECK(identity_of(base_with({"workers.devices=[0]"})) ==
        identity_of(base_with({"workers.devices=[3]"})));
  // What stands in the hash is what is not at its default, so that later keys change nothing.
  const std::string text = identity_text(base_with({}));
  CHECK(text.find("algorithm.beta = 0.9\n") != std::string::npos);
  CHECK(text.find("network.layer[0].outputs = 10\n") != std::string::npos);
  CHECK(text.find("algorithm.tau") == std::string::npos);
  CHECK(text.find("network.layer[0].name") == std::string::npos);
}

TEST_CASE("runs are packed on cores: as many as fit, one that is too large alone") {
  Capacity capacity({.cores = 4, .devices = 0}, 0, 1);
  const auto first = capacity.take({.cores = 1}), second = capacity.take({.cores = 2});
  REQUIRE(first);
  REQUIRE(second);
  CHECK(!capacity.take({.cores = 2}));
  CHECK(!capacity.take({.cores = 16}));
  const auto third = capacity.take({.cores = 1});
  REQUIRE(third);
  CHECK(!capacity.take({.cores = 1}));
  for (const Share& share : {*first, *second, *third}) capacity.give_back(share);
  const auto large = capacity.take({.cores = 16});
  REQUIRE(large);
  CHECK(!capacity.take({.cores = 1}));
  CHECK(capacity.fraction_of({.cores = 16}) == 1);
  CHECK(capacity.fraction_of({.cores = 1}) == 0.25);
}

TEST_CASE("runs are packed on GPUs: each has its own, or so many share one") {
  Capacity capacity({.cores = 1, .devices = 3}, 0, 1);
  const auto pair = capacity.take({.devices = 2}), single = capacity.take({.devices = 1});
  REQUIRE(pair);
  REQUIRE(single);
  CHECK(pair->devices == std::vector<std::size_t>{0, 1});
  CHECK(single->devices == std::vector<std::size_t>{2});
  CHECK(!capacity.take({.devices = 1}));
  capacity.give_back(*pair);
  CHECK(capacity.take({.devices = 1})->devices == std::vector<std::size_t>{0});
  Capacity shared({.cores = 1, .devices = 2}, 0, 2);
  std::vector<std::size_t> given;
  for (int i = 0; i < 4; ++i) given.push_back(shared.take({.devices = 1})->devices.at(0));
  CHECK(given == std::vector<std::size_t>{0, 1, 0, 1});
  CHECK(!shared.take({.devices = 1}));
  CHECK(visible_devices({0, 2}, "") == "0,2");
  CHECK(visible_devices({0, 2}, "4,GPU-8932f937,6") == "4,6");
  Capacity told({.cores = 1, .devices = 0}, 3, 1);
  for (int i = 0; i < 3; ++i) CHECK(told.take({.cores = 1}));
  CHECK(!told.take({.cores = 1}));
}

TEST_CASE("how long a run takes is known from those that compute the same") {
  const auto run_with = [](const Words& overrides) {
    SweepRun run;
    run.config = base_with(overrides);
    run.speed_class = speed_class_of(run.config);
    return run;
  };
  const SweepRun run = run_with({});
  RunSummary summary;
  summary.steps = {100, 100};
  summary.epochs = 2;  // so that an epoch has 100 x 128 images
  summary.wall_seconds = 10;
  Estimate estimate;
  CHECK(!estimate.seconds_of(run));
  CHECK(estimate.seconds_of(run_with({"stop.seconds=3"})) == 3);
  estimate.learn(run, summary);
  CHECK(estimate.seconds_of(run).value() == doctest::Approx(5));
  CHECK(estimate.seconds_of(run_with({"stop.epochs=4", "algorithm.tau=3"})).value() ==
        doctest::Approx(20));
  CHECK(estimate.seconds_of(run_with({"stop.steps=20"})).value() == doctest::Approx(1));
  CHECK(!estimate.seconds_of(run_with({"workers.batch=7"})));
}

TEST_CASE("a run that rests at a rung is not called one to do") {
  const SweepPlan plan = Study("[axes]\nalgorithm.learning_rate = [0.1, 0.01]\n").plan();
  SweepTable table(plan);
  CHECK(table.text().find("1 paused") == std::string::npos);
  table.add_paused(plan.runs[0]);
  const std::string text = table.text();
  CAPTURE(text);
  CHECK(text.find("1 paused\n") != std::string::npos);
  CHECK(text.find("1 to do\n") == text.rfind("1 to do\n"));
  CHECK(text.find("1 to do\n") != std::string::npos);
}
