// What takes minutes: run by `tools/test --all` in the release build, skipped elsewhere.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "data/location.h"

namespace fs = std::filesystem;

namespace {

/// Best test error of a run of the program; nothing where it fails.
std::optional<double> best_error(const std::string& arguments) {
  const fs::path out = fs::temp_directory_path() / "easgd_long_test";
  fs::remove_all(out);
  const std::string command = EASGD_PROGRAM " train " + arguments + " --out " + out.string();
  std::optional<double> result;
  if (std::system((command + " >/dev/null 2>&1").c_str()) == 0) {
    result = nlohmann::json::parse(std::ifstream(out / "summary.json"))["best_test_error"];
  }
  fs::remove_all(out);
  return result;
}

bool wanted() {
  if (std::getenv("EASGD_LONG_TESTS")) return true;
  MESSAGE("skipped: a long case; tools/test --all runs it");
  return false;
}

}  // namespace

TEST_CASE(
    "the built-in data are hard for a linear classifier and not for a convolutional network") {
  if (!wanted()) return;
  const auto linear = best_error("configs/synthetic_logistic.toml --set stop.epochs=30");
  REQUIRE(linear);
  CHECK(*linear > 0.4);
  CHECK(*linear < 0.9);
  const auto convolutional = best_error(
      "configs/cifar10_eamsgd.toml --set data.set=synthetic --set stop.epochs=12 "
      "--set workers.devices='[\"cpu\",\"cpu\"]'");
  REQUIRE(convolutional);
  CHECK(*convolutional < 0.1);
}

TEST_CASE("CIFAR-10: the shipped configuration brings the center to 25 % test error") {
  if (!wanted()) return;
  if (!easgd::locate("cifar10", "")) {
    MESSAGE("skipped: no cifar10 in $EASGD_DATA or data/");
    return;
  }
  const auto error = best_error("configs/cifar10_eamsgd.toml --set stop.seconds=600");
  REQUIRE(error);
  CHECK(*error <= 0.25);
}
