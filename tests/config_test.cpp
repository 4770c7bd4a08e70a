// Wrong use says so: every kind of mistake in a configuration has one clear line.

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/nearest.h"
#include "base/registry.h"
#include "config/writer.h"
#include "nn/conv2d.h"
#include "nn/layer.h"
#include "own_keys.h"
#include "settings/config.h"
#include "settings/config_help.h"
#include "settings/dump.h"
#include "settings/load.h"

using namespace easgd;
namespace fs = std::filesystem;

namespace {

const std::string kLayers = R"(
[[network.layer]]
type = "linear"
outputs = 10
[[network.layer]]
type = "softmax_cross_entropy"
)";
const std::string kRest = "[algorithm]\nname = \"easgd\"\nbeta = 0.9\n[stop]\nepochs = 1\n";

struct TempFile {
  explicit TempFile(const std::string& text)
      : path(fs::temp_directory_path() /
             ("easgd_config_test_" + std::to_string(getpid()) + ".toml")) {
    std::ofstream(path) << text;
  }
  ~TempFile() { fs::remove(path); }
  fs::path path;
};

Config loaded(const std::string& text, const std::vector<std::string>& sets = {}) {
  const TempFile file(text);
  return load_config(file.path.string(), sets);
}

/// The message of the ConfigError, without the temporary path.
std::string complaint(const std::string& text, const std::vector<std::string>& sets = {}) {
  const TempFile file(text);
  try {
    load_config(file.path.string(), sets);
  } catch (const ConfigError& e) {
    std::string line = e.what();
    CHECK(line.find('\n') == std::string::npos);
    if (line.starts_with(file.path.string())) line.erase(0, file.path.string().size());
    return line;
  }
  return "no error";
}

using Keys = std::multimap<std::string, std::string>;

/// The keys of a TOML text, their tables before them, with their values.
Keys keys_of(const std::string& toml) {
  Keys result;
  std::istringstream lines(toml);
  for (std::string line, table; std::getline(lines, line);) {
    if (line.starts_with('[')) table = line.substr(1, line.find(']') - 1) + ".";
    const std::size_t equals = line.find(" = ");
    if (equals == std::string::npos) continue;
    result.emplace(table + line.substr(0, equals), line.substr(equals + 3));
  }
  return result;
}

/// The same of a help text: `  key  meaning`, and in the next line `      type; default value`.
Keys keys_in_help(const std::string& help) {
  Keys result;
  std::istringstream lines(help);
  for (std::string line, key; std::getline(lines, line);) {
    if (line.starts_with("      ")) {
      result.emplace(key, line.substr(line.rfind("; ") + 2));
    } else if (line.starts_with("  ")) {
      key = line.substr(2, line.find(' ', 2) - 2);
    }
  }
  return result;
}

bool contains(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CAPTURE(part);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("a configuration reads, dumps and reads back the same") {
  const Config first =
      loaded("seed = 7\n" + kRest + "[workers]\ndevices = [0, \"cpu\"]\n" + kLayers);
  CHECK(first.seed == 7);
  CHECK(first.workers.devices == std::vector<std::string>{"0", "cpu"});
  CHECK(first.algorithm.tau == 10);
  const std::string text = dump_config(first);
  CHECK(dump_config(loaded(text)) == text);
}

TEST_CASE("unknown keys name the nearest right one, with file and line") {
  contains(complaint("[algorithm]\nrhoo = 1\n"),
           ":2: algorithm.rhoo: unknown key; did you mean \"rho\"?");
  contains(complaint(kRest + "[[network.layer]]\ntype = \"conv\"\nchannels = 4\nkernl = 3\n"),
           "did you mean \"kernel\"?");
  contains(complaint(kRest + "[[network.layer]]\ntype = \"conv\"\nchannels = 4\npadding = 1\n"),
           "padding: is called \"pad\" here");
  contains(complaint("xyzzy = 1\n"), "keys here: ");
}

TEST_CASE("wrong types and values out of range") {
  contains(complaint("[algorithm]\ntau = \"ten\"\n"),
           ":2: algorithm.tau: expected an integer in 1..1000000000; found the string");
  contains(complaint("[algorithm]\ntau = 2.5\n"), "expected an integer");
  contains(complaint("[algorithm]\ntau = 0\n"), "expected a value in 1..");
  contains(complaint("[algorithm]\nlearning_rate = nan\n"), "found nan");
  contains(complaint("[algorithm]\nlearning_rate = inf\n"), "found inf");
  contains(complaint("[algorithm]\nlearning_rate = 0\n"), "expected a value in");
  contains(complaint("[algorithm]\nlearning_rate = 1e30\n"), "expected a value in");
  contains(complaint("[algorithm]\nmomentum = 1\n"), "expected a value in");
  contains(complaint("[data]\nflip = 1\n"), "expected true or false");
  contains(complaint("[algorithm]\nname = \"eamsdg\"\n"), "did you mean \"eamsgd\"?");
  contains(complaint("algorithm = 3\n"), "expected a table");
  contains(complaint("[[algorithm]]\ntau = 3\n"), "expected a table");
  contains(complaint("[workers]\nbatch = 99999999999\n"), "expected a value in");
  contains(complaint("[workers]\nbatch = 99999999999999999999\n"), "not valid TOML");
}

TEST_CASE("a choice is read by its words, written by them, and refused with them") {
  const Config config = loaded(
      kRest + kLayers, {"center.order=virtual", "workers.plans=search", "workers.on_failure=stop",
                        "network.statistics=keep", "algorithm.schedule.kind=power"});
  CHECK(config.algorithm.exchange == Exchange::asynchronous);
  CHECK(config.center.order == OrderKind::virtual_time);
  CHECK(config.workers.plans == PlanChoice::search);
  CHECK(config.workers.on_failure == OnFailure::stop);
  CHECK(config.network.statistics == StatisticsPolicy::keep);
  CHECK(config.algorithm.schedule.kind == ScheduleKind::power);
  const Keys written = keys_of(dump_config(config));
  CHECK(written.find("center.order")->second == "\"virtual\"");
  CHECK(written.find("workers.on_failure")->second == "\"stop\"");
  contains(
      complaint(kRest + kLayers, {"algorithm.exchange=synchronus"}),
      "algorithm.exchange: expected one of asynchronous, synchronous; found \"synchronus\"; did "
      "you mean \"synchronous\"?");
  contains(complaint(kRest + kLayers, {"algorithm.exchange=any"}),
           "expected one of asynchronous, synchronous; found \"any\"");
}

TEST_CASE("exactly one of rho, alpha, beta") {
  contains(complaint("[algorithm]\nname = \"easgd\"\nrho = 1\nbeta = 0.9\n[stop]\nepochs = 1\n" +
                     kLayers),
           "found rho and beta; as in --set algorithm.beta=");
  contains(complaint(kRest + kLayers, {"algorithm.beta=", "algorithm.rho=1", "algorithm.alpha=1"}),
           "found rho and alpha; as in --set algorithm.alpha=");
  contains(complaint("[algorithm]\nname = \"easgd\"\n[stop]\nepochs = 1\n" + kLayers),
           "found none");
  contains(complaint("[algorithm]\nname = \"msgd\"\nrho = 1\n[stop]\nepochs = 1\n" + kLayers),
           "no elastic force: found rho; as in --set algorithm.rho=");
  // All that is amiss at once.
  contains(
      complaint(kRest + kLayers, {"algorithm.name=allreduce", "algorithm.tau=10"}),
      "--set algorithm.tau=10: algorithm.tau: allreduce exchanges in every step: expected tau 1, "
      "found 10, is synchronous: found exchange \"asynchronous\", has no elastic force: found "
      "beta; as in --set algorithm.tau=1 --set algorithm.exchange=synchronous --set "
      "algorithm.beta=");
}

TEST_CASE("a name is a word") {
  for (const char* name : {"", "  ", "a/b", "\\u0000x", "x\\ny", "\\u007f"}) {
    CAPTURE(name);
    contains(complaint(std::string("name = \"") + name + "\"\n" + kRest + kLayers),
             "name: expected a word");
  }
}

TEST_CASE("what is said against a key begins with where the key stands") {
  const std::string text = "[algorithm]\nname = \"msgd\"\n[stop]\nepochs = 1\n[center]\n" + kLayers;
  CHECK(
      complaint("# the first line\n[algorithm]\nname = \"msgd\"\n\nrho = 1\n[stop]\nepochs = 1\n" +
                kLayers)
          .starts_with(":5: algorithm.rho: msgd has no elastic force"));
  CHECK(complaint(text, {"center.order=round_robin", "algorithm.exchange=synchronous"})
            .starts_with("--set center.order=round_robin: center.order: "));
  CHECK(complaint("[algorithm]\nname = \"msgd\"\n" + kLayers).starts_with(": stop: give"));
  const Config config = loaded("seed = 2\n[data]\ncrop = 3\n" + text);
  CHECK(config.locations.keys.at("data.crop").ends_with(".toml:3"));
  const auto late = [] { throw KeyError("data.crop", "too large"); };
  CHECK_THROWS_WITH_AS(config::at_locations(config.locations, late),
                       doctest::Contains(".toml:3: data.crop: too large"), ConfigError);
}

TEST_CASE("a method's own momentum and rate of the center stand where none are given") {
  const auto of = [](const char* name, const std::vector<std::string>& sets) {
    return loaded(std::string("[algorithm]\nname = \"") + name +
                      "\"\nexchange = \"synchronous\"\n[stop]\nepochs = 1\n" + kLayers,
                  sets)
        .algorithm;
  };
  CHECK(own_key(of("diloco", {}), "center_momentum") == 0.9);
  CHECK(own_key(of("diloco", {}), "center_learning_rate") == 0.7);
  CHECK(own_key(of("diloco", {"algorithm.center_momentum=0"}), "center_momentum") == 0);
  CHECK_FALSE(of("local_sgd", {}).own);
}

TEST_CASE("keys that need each other") {
  contains(complaint("[algorithm]\nname = \"msgd\"\n" + kLayers), "stop: give at least one");
  contains(
      complaint(
          "[algorithm]\nname = \"msgd\"\nschedule = {kind = \"cosine\"}\n[stop]\nseconds = 3\n" +
          kLayers),
      "known length");
  contains(complaint(kRest + "[center]\norder = \"replay\"\n" + kLayers), "go together");
  contains(complaint(kRest + "[guard]\nspike = 6\n" + kLayers),
           "guard.spike: does nothing while guard.action is");
  contains(
      complaint(kRest + kLayers, {"algorithm.exchange=synchronous", "center.order=round_robin"}),
      "own order");
  contains(complaint(kRest + "[data]\nmean = [0.5]\n" + kLayers), "mean and deviation");
  contains(complaint(kRest), "has no layers");
  contains(complaint(kRest + "[network]\nfile = \"nowhere.toml\"\n"),
           "nowhere.toml is not there; expected a TOML file of layers");
}

TEST_CASE("a configuration that another file carries reads no further one") {
  CHECK_THROWS_WITH_AS(
      parse_config("[network]\nfile = \"/etc/passwd\"\n", "a.safetensors (its easgd.config)", {}),
      "a.safetensors (its easgd.config):2: network.file: expected [[network.layer]] tables: a "
      "configuration that another file carries reads no further one",
      ConfigError);
}

TEST_CASE("values and names that nest without end are told with their line") {
  std::string dots = "seed = 1\na";
  for (int i = 0; i < 201; ++i) dots += ".a";
  contains(complaint(dots + " = 1\n"), ":2: not valid TOML: a name of more than 200 parts");
  contains(complaint("a = " + std::string(65, '[') + std::string(65, ']')), "not valid TOML");
}

TEST_CASE("letters beyond ASCII stand in quotes and comments alone") {
  const std::string letter = "\xc3\xa9", three = "'''", wide = "\"\"\"";
  contains(complaint("# " + letter + "\n" + letter + " = 1\n"),
           ":2: not valid TOML: a letter beyond ASCII");
  contains(complaint("name = \"a\" \xc2\xa0\n"), ":1: not valid TOML: a letter beyond ASCII");
  contains(complaint("name = " + wide + "a \\ \n\n  " + letter + wide + "\n"),
           ":3: not valid TOML: a letter beyond ASCII is the first behind");
  contains(complaint("name = " + wide + "a\n\\" + letter + wide + "\n"),
           ":2: not valid TOML: a letter beyond ASCII is the first behind");
  for (const std::string& text :
       {"\"" + letter + " \\\" " + letter + "\"", "'" + letter + " \"'",
        wide + letter + "\n\"" + letter + "\"\"" + wide, three + letter + "'\n" + letter + three,
        "\"\" # \" " + letter, wide + letter + "\\\n b" + letter + wide}) {
    CAPTURE(text);
    CHECK(complaint("name = " + text + "\n" + kRest + kLayers).find("ASCII") == std::string::npos);
  }
}

TEST_CASE("files that are no configuration") {
  contains(complaint(""), "is empty; expected a configuration");
  contains(complaint(kRest + "[network]\nfile = \"/dev/null\"\n"),
           "/dev/null: is empty; expected [[layer]] tables");
  CHECK_THROWS_WITH_AS(load_config("", {}), "expected a configuration file; found an empty name",
                       ConfigError);
  contains(complaint("# nothing but a comment\n"), "is empty");
  contains(complaint("a = 1\na = 2\n"), "not valid TOML");
  contains(complaint("a = \"\xff\xfe\"\n"), "not valid TOML");
  contains(complaint("[algorithm\n"), ":1: not valid TOML");
  CHECK_THROWS_WITH_AS(load_config("/", {}), "/: is a folder; expected a TOML file", ConfigError);
  CHECK_THROWS_AS(load_config("/nowhere/at/all.toml", {}), ConfigError);
}

TEST_CASE("a file that is no text in UTF-8 is named for what it is") {
  const std::string text = "name = \"x\"\n" + kRest + kLayers;
  const auto widened = [&text](std::size_t width, bool little, const std::string& mark) {
    std::string wide = mark;
    for (const char c : text) {
      const std::string zeros(width - 1, '\0');
      if (!little) wide += zeros;
      wide += c;
      if (little) wide += zeros;
    }
    return wide;
  };
  for (const std::string mark : {"", "\xff\xfe"}) {
    contains(complaint(widened(2, true, mark)), ": is UTF-16 text; save it as UTF-8");
  }
  for (const std::string mark : {"", "\xfe\xff"}) {
    contains(complaint(widened(2, false, mark)), ": is UTF-16 text; save it as UTF-8");
  }
  const std::string marks("\xff\xfe\0\0\0\0\xfe\xff", 8);
  contains(complaint(widened(4, true, marks.substr(0, 4))), ": is UTF-32 text");
  contains(complaint(widened(4, false, marks.substr(4))), ": is UTF-32 text");
  contains(complaint("\x1f\x8b\x08"), ": is a gzip archive; expected a TOML file");
  contains(complaint(std::string("\x40\0\0\0\0\0\0\0{\"a\":{}}", 16)), ": is a safetensors file");
  contains(complaint("\x7f"
                     "ELF"),
           ": is a program (ELF)");
  contains(complaint(text + '\0'), ":13: not valid TOML: a NUL byte");
  contains(complaint("# 1\nname = \"caf\xe9\"\n"),
           ":2: not valid TOML: the byte 0xe9 is no UTF-8 there; save the file as UTF-8");
  std::string returns = text;
  std::ranges::replace(returns, '\n', '\r');
  contains(complaint(returns), ":1: not valid TOML: a carriage return without a line feed");
}

TEST_CASE("a byte order mark of UTF-8, and CR LF at the ends of lines, are read over") {
  const std::string text = "\xef\xbb\xbfname = \"x\"\n" + kRest + kLayers;
  CHECK(loaded(text).name == "x");
  std::string returns;
  for (const char c : text) returns += c == '\n' ? "\r\n" : std::string(1, c);
  CHECK(loaded(returns).name == "x");
}

TEST_CASE("what is written is read back the same: texts and numbers to the last bit") {
  Config config = loaded("seed = 9200000000000000000\n" + kRest + kLayers);
  std::string controls;
  for (char c = 1; c < 0x20; ++c) controls += c;
  const std::string text = controls + "\x7f\"\\'#=[]{}\u0080\u00e9\u2028\ufeff\ufffe\U0010ffff";
  config.data.dir = "/" + text + std::string(100'000, 'x');
  config.network.init = "\"\"\"";
  config.network.layers[0]->name = "a\nb.c";
  config.data.mean = {-0.0, 0.1, double(0.1f), 1e-300, 999.9999999999999};
  config.data.deviation = {1.5e-6, 1.0 / 3, 1000, 1, 2};
  config.workers.threads = config.evaluate.threads = 8192;
  config.stop.seconds = 1e8;
  config.stop.test_error = 2.2250738585072014e-308;
  CHECK_NOTHROW(check_reads_back(config));
  const Config again = loaded(dump_config(config));
  CHECK((again.data.dir == config.data.dir));  // too long to be shown
  CHECK(std::signbit(again.data.mean[0]));
  CHECK(again.data.mean == config.data.mean);
  CHECK(again.data.deviation == config.data.deviation);
  CHECK(again.seed == 9200000000000000000);
}

TEST_CASE("a path is made absolute without changing where it leads") {
  const std::string here = fs::current_path().string();
  CHECK(anchored("").empty());
  CHECK(anchored("a/./b//c") == here + "/a/b/c");
  CHECK(anchored("link/../set") == here + "/link/../set");  // link may be one
  CHECK(anchored("/a/") == "/a/");
}

TEST_CASE("a configuration that would not read back is refused with the key") {
  const auto refusal = [](const std::function<void(Config&)>& change) -> std::string {
    Config config = loaded(kRest + kLayers);
    change(config);
    try {
      check_reads_back(config);
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "none";
  };
  contains(refusal([](Config& c) { c.workers.threads = 1'000'000; }), "workers.threads: expected");
  contains(refusal([](Config& c) { c.data.mean = c.data.deviation = {NAN}; }),
           "data.mean: expected");
  contains(refusal([](Config& c) { c.center.place = std::string("\xff"); }),
           "center.place: \xff: is no UTF-8");
  contains(refusal([](Config& c) { c.workers.devices = {"\xff"}; }), "workers.devices: ");
  contains(refusal([](Config& c) { c.network.layers[0]->name = std::string("\xff"); }),
           "network.layer.name: ");
  CHECK(refusal([](Config&) {}) == "none");
}

TEST_CASE("a path that no TOML can hold is refused before a run, but for the data's") {
  Config config = loaded(kRest + kLayers, {"data.dir=/\xe9"});
  CHECK_NOTHROW(check_recordable(config));
  for (const std::string key : {"network.init", "center.replay"}) {
    Config other = config;
    (key == "network.init" ? other.network.init : other.center.replay) = "/\xe9/x";
    CHECK_THROWS_WITH_AS(check_recordable(other),
                         doctest::Contains((key + ": /\xe9/x: is no").c_str()), KeyError);
  }
  contains(complaint(kRest + kLayers, {"name=caf\xe9"}), "name: expected a word");
  contains(complaint("[network]\ninit = \"a\\u0000b\"\n" + kRest + kLayers),
           "network.init: expected a path");
}

TEST_CASE("overrides: typed, bare words, and their mistakes") {
  const Config config = loaded(
      kRest + kLayers, {"algorithm.tau=4", "data.set=synthetic", "evaluate.every.seconds=3.5"});
  CHECK(config.algorithm.tau == 4);
  CHECK(config.data.set == "synthetic");
  CHECK(config.evaluate.every.seconds == 3.5);
  contains(complaint(kRest + kLayers, {"algorithm.taux=4"}),
           "--set algorithm.taux=4: algorithm.taux: unknown key; did you mean \"tau\"?");
  contains(complaint(kRest + kLayers, {"algorithm.tau=0"}),
           "--set algorithm.tau=0: algorithm.tau: expected a value in");
  contains(complaint(kRest + kLayers, {"algorithm.tau=99999999999999999999"}),
           "--set algorithm.tau=99999999999999999999: algorithm.tau: expected an integer in "
           "1..1000000000");
  contains(
      complaint(kRest + kLayers, {"algorithm.tau=1-2"}),
      "--set algorithm.tau=1-2: algorithm.tau: expected an integer in 1..1000000000; found the "
      "string \"1-2\"; TOML writes numbers as 7, 0.5 and 1e-3");
  contains(complaint(kRest + kLayers, {"tau"}), "expected key=value");
  contains(complaint(kRest + kLayers, {"algorithm.tua="}), "no such key to take away");
  contains(complaint(kRest + kLayers, {"name.x=4"}),
           "--set name.x=4: name: expected a string; found the table");
}

TEST_CASE("an override takes ordinary text as it stands") {
  const std::string text = kRest + kLayers;
  for (const std::string word :
       {"it's", "[x]",      "a=b",    "back\\slash", "2024-01-31", "1e5",  "true",
        "007",  "a b",      "a#b",    "\"",          "caf\u00e9",  "'tis", "{a = 1}",
        "nan",  "12:30:00", "a\"b\"", "[0, 1]",      "0x1f",       "a,b"}) {
    CAPTURE(word);
    const Config config = loaded(text, {"name=" + word, "network.init=" + word});
    CHECK(config.name == word);
    CHECK(config.network.init == fs::current_path() / word);
    CHECK(loaded(dump_config(config)).name == word);
  }
  const fs::path bytes = loaded(text, {"data.dir=/data\xe9"}).data.dir;  // which TOML cannot write
  CHECK(bytes == "/data\xe9");
}

TEST_CASE("an override takes text out of TOML's quotes") {
  const std::string text = kRest + kLayers;
  CHECK(loaded(text, {"data.set=\"synthetic\""}).data.set == "synthetic");
  CHECK(loaded(text, {"data.set= synthetic "}).data.set == "synthetic");
  CHECK(loaded(text, {"name='it\\s'"}).name == "it\\s");
  CHECK(loaded(text, {"name=\"a\\\\b\\\"\\u00e9\""}).name == "a\\b\"\u00e9");
  CHECK(loaded(text, {"name = \"x\""}).name == "x");
  CHECK(loaded(text, {"name = x"}).name == "x");
  CHECK(loaded("[network]\ninit = \"x\"\n" + text, {"network.init=\"\""}).network.init.empty());
  CHECK(loaded("[network]\ninit = \"x\"\n" + text, {"network.init="}).network.init.empty());
  contains(
      complaint(text, {"data.dir=\"C:\\data\""}),
      "--set data.dir=\"C:\\data\": data.dir: found \"C:\\data\", which is not as TOML has text "
      "in quotes (with \\\" and \\\\ in them); without quotes");
}

TEST_CASE("an override of a list takes a list or a word") {
  const auto devices = [](const std::string& value) {
    return loaded(kRest + kLayers, {"workers.devices=" + value}).workers.devices;
  };
  using Words = std::vector<std::string>;
  CHECK(devices("cpu") == Words{"cpu"});
  CHECK(devices("0") == Words{"0"});
  CHECK(devices("[0, 1]") == Words{"0", "1"});
  CHECK(devices("[\"cpu\",'cuda:1']") == Words{"cpu", "cuda:1"});
  CHECK(devices("[cpu, cuda:1]") == Words{"cpu", "cuda:1"});  // what a shell leaves of the former
  contains(complaint(kRest + kLayers, {"workers.devices=[cpu"}),
           "workers.devices: expected a word or a list of words, as in "
           "workers.devices=[\"one\", \"two\"]; found [cpu");
  CHECK(loaded(kRest + kLayers, {"data.mean=[0.5]", "data.deviation=[0.25]"}).data.mean ==
        std::vector<double>{0.5});
  contains(complaint(kRest + kLayers, {"data.mean=0.5"}),
           "expected a list of numbers, as in [0.5, 0.25]; found the floating-point 0.5");
}

TEST_CASE("an override that is not of its key's kind says how to write it, in one line") {
  const std::string text = kRest + kLayers;
  contains(complaint(text, {"data.flip=True"}),
           "expected true or false; found the string \"True\"");
  contains(complaint(text, {"stop.epochs=.5"}), "TOML writes numbers as 7, 0.5 and 1e-3");
  contains(complaint(text, {"algorithm.schedule={kind=steps}"}),
           "expected a table, as in {a = 2, b = \"text\"}; found the string \"{kind=steps}\"");
  // One override sets one key.
  contains(complaint(text, {"algorithm.tau=2\nseed=4"}),
           "--set algorithm.tau=2 seed=4: algorithm.tau: expected an integer");
  contains(complaint(text, {"nme=it's"}), "nme: unknown key; did you mean \"name\"?");
  CHECK(complaint(text, {"name=" + std::string(100'000, '/')}).size() < 10'000);
  contains(complaint(text, {"data.set=a\nb"}), "found \"a b\"");
  contains(complaint("\"a\\nb\" = 1\n" + text), "a b: unknown key");
}

TEST_CASE("an override of an inline table replaces the table, of a dotted key one value") {
  const std::string text = "evaluate.every = {seconds = 7, epochs = 2}\n" + kRest + kLayers;
  const auto every = loaded(text, {"evaluate.every={seconds=3}"}).evaluate.every;
  CHECK(every.seconds == 3.0);
  CHECK_FALSE(every.epochs);
  const auto one = loaded(text, {"evaluate.every.seconds=3"}).evaluate.every;
  CHECK(one.seconds == 3.0);
  CHECK(one.epochs == 2.0);
}

TEST_CASE("settings of the center are those of methods that have them") {
  CHECK_FALSE(loaded(kRest + kLayers).algorithm.own);
  const std::vector<std::string> diloco = {"algorithm.name=diloco",
                                           "algorithm.beta=", "algorithm.exchange=synchronous"};
  const AlgorithmConfig algorithm = loaded(kRest + kLayers, diloco).algorithm;
  CHECK(own_key(algorithm, "center_momentum") == 0.9);
  CHECK(own_key(algorithm, "center_learning_rate") == 0.7);
  contains(complaint(kRest + kLayers, {"algorithm.center_momentum=0.5"}),
           "has no center_momentum, which is a key of diloco and sma; as in --set "
           "algorithm.center_momentum=");
  contains(complaint(kRest + kLayers, {"algorithm.center_learning_rate=0.5"}),
           "has no center_learning_rate, which is a key of diloco");
  // A table of another algorithm may stand, so that one file serves both.
  const std::string tree = kRest + "[tree]\nfanout = 7\n" + kLayers;
  CHECK_FALSE(loaded(tree).algorithm.own);
  contains(complaint(tree, {"tree.fanuot=3"}), "tree.fanuot: unknown key; did you mean \"fanout\"");
  contains(complaint(tree, {"tree.fanout=1"}), "tree.fanout: expected a value in 2..65533");
  contains(complaint(kRest + kLayers, {"tree=3"}), "tree: expected a table");
  CHECK(own_key(loaded(tree, {"algorithm.name=easgd_tree"}).algorithm, "fanout") == 7);
  contains(complaint(tree, {"algorithm.name=easgd_tree", "tree.fanout=1"}),
           "tree.fanout: expected a value in 2..65533");
}

TEST_CASE("keys of a data set are those of the set that has them") {
  const std::string text = "[data]\nset = \"synthetic\"\nclasses = 3\n" + kRest + kLayers;
  const auto keys = [](Config config) { return keys_of(dump_config(std::move(config))); };
  const auto value = [](const Keys& all, const std::string& key) {
    return all.contains(key) ? all.find(key)->second : "none";
  };
  CHECK(value(keys(loaded(text)), "data.classes") == "3");
  CHECK(value(keys(loaded(text)), "data.samples") == "20000");
  CHECK(value(keys(loaded(text, {"data.samples=70"})), "data.samples") == "70");
  CHECK(value(keys(loaded(kRest + kLayers)), "data.classes") == "none");
  CHECK(loaded(text).data.reader()->facts()->classes == 3);

  contains(complaint(text, {"data.classes=1"}), "data.classes: expected a value in 2..10");
  contains(complaint(text, {"data.clases=4"}),
           "data.clases: unknown key; did you mean \"classes\"?");
  contains(complaint(text, {"data.set=cifar10"}),
           ":3: data.classes: cifar10 has no classes, which is a key of synthetic; as in --set "
           "data.classes=");
  contains(complaint(text, {"data.set=cifar10", "data.samples=9"}),
           "cifar10 has no classes, which is a key of synthetic, has no samples, which is a key of "
           "synthetic; as in --set data.classes= --set data.samples=");
  CHECK_NOTHROW(loaded(text, {"data.set=cifar10", "data.classes="}));

  // The recorded configurations hold them, evaluation's too: other classes, other pictures.
  CHECK_NOTHROW(check_reads_back(loaded(text)));
  CHECK(value(keys_of(dump_evaluation_config(loaded(text))), "data.classes") == "3");
}

TEST_CASE("no data set has a key of its own that all have") {
  const Keys common = keys_of(dump_config(loaded(kRest + kLayers)));
  for (const std::string& name : Registry<DatasetEntry>::names()) {
    CAPTURE(name);
    const auto reader = make_dataset_reader(name);
    CHECK(reader->name() == name);
    for (const auto& [key, value] :
         keys_of(config::to_toml([&](config::Fields& f) { reader->fields(f); })))
      CHECK_FALSE(common.contains("data." + key));
  }
}

TEST_CASE("an override takes a key away, so that another may stand for it") {
  const Config config = loaded(kRest + kLayers, {"algorithm.beta=", "algorithm.rho=2"});
  CHECK(config.algorithm.rho == 2.0);
  CHECK_FALSE(config.algorithm.beta);
  contains(complaint(kRest + kLayers, {"nowhere.at.all="}), "no such key to take away");
}

TEST_CASE("help lists every key once, with its default, and no other") {
  Config config;
  const Keys defaults = keys_of(dump_config(config));
  for (auto* number : {&config.algorithm.rho, &config.algorithm.alpha, &config.algorithm.beta,
                       &config.stop.epochs, &config.stop.seconds, &config.stop.test_error,
                       &config.evaluate.every.seconds, &config.evaluate.every.epochs,
                       &config.checkpoint.every.seconds, &config.checkpoint.every.epochs}) {
    *number = 1;
  }
  config.stop.steps = config.evaluate.every.versions = config.checkpoint.every.versions = 1;
  Keys expected;
  for (const auto& [key, value] : keys_of(dump_config(config))) {
    const bool given = defaults.contains(key);
    expected.emplace(key, "default " + (given ? defaults.find(key)->second : "not given"));
  }
  CHECK(expected.size() > 60);
  expected.find("workers.devices")->second = "default \"auto\"";  // a list of one is its word

  const std::string help = config_help(), head = "\n  type = \"";
  CHECK(keys_in_help(help.substr(0, help.find("\nKeys that one "))) == expected);
  std::size_t begin = help.find(head);
  contains(help.substr(0, begin),
           "  algorithm.tau                steps of a worker between two "
           "exchanges\n      integer 1..1000000000; default 10\n");

  for (const std::string& kind : Registry<LayerEntry>::names()) {
    CAPTURE(kind);
    REQUIRE(help.compare(begin, head.size() + kind.size() + 1, head + kind + '"') == 0);
    const std::size_t end = help.find(head, begin + 1);
    const auto layer = Registry<LayerEntry>::get(kind)();
    Keys own = keys_of(config::to_toml([&](config::Fields& f) {
      f.text("name", layer->name, "");
      f.text("from", layer->from, "");
      layer->fields(f);
    }));
    for (auto& [key, value] : own) {
      const bool required =
          key == "channels" || key == "outputs" || (key == "kernel" && value == "0");
      value = required ? "must be given" : "default " + value;
    }
    CHECK(keys_in_help(help.substr(begin, end - begin)) == own);
    begin = end;
  }
  CHECK(begin == std::string::npos);
}

TEST_CASE("nearest") {
  CHECK(nearest("rhoo", {"alpha", "rho", "tau"}) == "rho");
  CHECK(nearest("momentun", {"momentum"}) == "momentum");
  CHECK(nearest("quite different", {"tau"}) == "");
  CHECK(nearest("ehlp", {"help"}) == "help");
  CHECK(nearest("cifar", {"cifar10", "cifar100", "mnist"}) == "cifar10");
  CHECK(nearest("esgd", {"asgd", "eamsgd", "easgd", "msgd", "sgd"}) == "easgd");
}

TEST_CASE("a side is one number or two, and a bias a number or a flag") {
  const auto text = [](const std::string& keys) {
    return kRest + "[[network.layer]]\ntype = \"conv\"\nchannels = 4\n" + keys + "\n" + kLayers;
  };
  const auto conv = [&](const std::string& keys) {
    return std::dynamic_pointer_cast<Conv2d>(loaded(text(keys)).network.layers.at(0));
  };
  CHECK(conv("kernel = 3")->kernel == Sides{3, 3});
  CHECK(conv("kernel = [1, 7]")->kernel == Sides{1, 7});
  CHECK(conv("kernel = [1, 7]\npad = [0, 3]\nstride = 2")->pad == Sides{0, 3});
  contains(complaint(text("")), "network.layer[0].kernel: missing; expected an integer in 1..64");
  contains(complaint(text("kernel = [3]")),
           "network.layer[0].kernel: expected an integer in 1..64, or two: [height, width]; found");
  contains(complaint(text("kernel = [3, 0]")), "kernel: expected a value in 1..64; found 0");
  contains(complaint(text("kernel = \"3x3\"")), "kernel: expected an integer in 1..64");

  CHECK(conv("kernel = 3\nbias = 0.5")->bias == 0.5);
  CHECK(conv("kernel = 3\nbias = 0.5")->use_bias);
  CHECK_FALSE(conv("kernel = 3\nbias = false")->use_bias);
  CHECK(conv("kernel = 3\nbias = true")->use_bias);
  CHECK_FALSE(conv("kernel = 3\nbias = false\nuse_bias = false")->use_bias);
  contains(complaint(text("kernel = 3\nbias = false\nuse_bias = true")),
           ": bias = false and use_bias = true contradict each other; give one");
  contains(complaint(text("kernel = 3\nbias = \"no\"")), "bias: expected a number in -10..10");

  const std::string written = dump_config(loaded(text("kernel = [1, 7]\nbias = false")));
  contains(written, "\nkernel = [1, 7]\nstride = 1\npad = 0\n");
  contains(written, "\nbias = 0\nuse_bias = false\n");
}

TEST_CASE("the plateau rule cuts learning rates alone, and of workers that know their cuts") {
  const auto with = [](const std::string& schedule) { return kRest + kLayers + schedule; };
  const std::string plateau = "[algorithm.schedule]\nkind = \"plateau\"\n";
  CHECK(loaded(with(plateau)).algorithm.schedule.cuts == std::vector<double>{0.2, 0.5});
  contains(complaint(with(plateau + "cuts = []\n")), "algorithm.schedule.cuts: is empty; expected");
  contains(complaint(with("[algorithm.tau_schedule]\nkind = \"plateau\"\n")),
           "algorithm.tau_schedule.kind: \"plateau\" cuts learning rates alone");
  contains(complaint(with(plateau + "[workers]\non_failure = \"restart\"\n")),
           "workers.on_failure: \"restart\" and algorithm.schedule.kind \"plateau\"");
}
