// Does `easgd stability` print the numbers of the paper's and the thesis's analysis?

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "program.h"

using nlohmann::json;
using namespace easgd::testing;

TEST_CASE("easgd stability prints what people and programs can read") {
  const json admm = json::parse(
      program("stability point --method admm --workers 3 --learning-rate 0.001 --rho 2.5 --json")
          .text);
  CHECK(admm["stable"] == false);
  CHECK(admm["single_map_stable"] == true);
  const json easgd_point = json::parse(program("stability point --method easgd --json").text);
  CHECK(easgd_point["inside_proven_region"] == true);
  const std::string map =
      program(
          "stability map --method admm --workers 3 --learning-rates 0.0001:0.001:2 "
          "--rhos 0.5:10:3 --csv")
          .text;
  CHECK(map.starts_with("learning_rate,rho,spectral_radius\n0.0001,0.5,1.00036"));
  CHECK(std::ranges::count(map, '\n') == 7);
  CHECK(json::parse(program("stability moments --json").text)["stable"] == true);
  CHECK(json::parse(program("stability double-well --rho 0.7 --json").text)["trapped"] == false);

  const std::string checked =
      program(
          "stability check configs/synthetic_eamsgd.toml --set 'workers.devices=[\"cpu\",\"cpu\"]' "
          "--curvature 1 --csv")
          .text;
  CHECK(checked.find(",\"of easgd with tau = 1, proven for a quadratic; with momentum or a longer "
                     "tau nothing is\"\n") != std::string::npos);

  check_one_line(program("stability map --rhos -1:2:2"), 2, "--rhos: expected FROM:TO:COUNT of 0");
  check_one_line(program("stability point --rho nan"), 2, "--rho: expected a value in 0..");
  check_one_line(program("stability point --workers 0"), 2,
                 "--workers: expected a value in 1..256");
  check_one_line(program("stability map --learning-rate 1"), 2, "--learning-rate");
  check_one_line(program("stability map --rhos 1:x:2"), 2, "--rhos: expected FROM:TO:COUNT");
  check_one_line(program("stability point --method sgd"), 2, "sgd not in");
  check_one_line(program("stability point --json --csv"), 2, "--json and --csv do not go together");
  check_one_line(program("stability"), 2, "stability: no command; expected one of point, map");
  check_one_line(program("stability pint"), 2, "no such command: pint; did you mean \"point\"?");
  CHECK(program("stability moments").text.find("  step_x_variance") != std::string::npos);
}

namespace {

/// A number that `easgd stability` is to print: where in its JSON, and how near.
struct Oracle {
  const char* arguments;
  const char* pointer;
  double value, tolerance;
};

// Worked out by hand, or from the matrices of [EASGD15] and [Zhang 2016] with another program.
const Oracle kOracles[] = {
    {"point --method admm --workers 2 --learning-rate 0.001 --rho 2.5", "/spectral_radius",
     0.9990018719, 1e-9},
    {"point --method admm --workers 3 --learning-rate 0.001 --rho 2.5", "/spectral_radius",
     1.0009738854, 1e-9},
    {"point --method admm --workers 8 --learning-rate 0.001 --rho 2.5", "/spectral_radius",
     1.0022578662, 1e-9},
    {"point --method admm --workers 3 --learning-rate 0.0001 --rho 10", "/spectral_radius",
     1.001272, 1e-6},
    {"point --method admm --workers 3 --learning-rate 0.01 --rho 0.5", "/spectral_radius", 0.996074,
     1e-6},
    {"point --method admm --workers 8 --learning-rate 0.003 --rho 1", "/spectral_radius", 1.001373,
     1e-6},
    {"point --method admm --workers 8 --learning-rate 0.01 --rho 5", "/spectral_radius", 0.990274,
     1e-6},
    {"point --method easgd --workers 3 --learning-rate 0.001 --rho 2.5", "/spectral_radius",
     0.9992698, 1e-7},
    {"point --method easgd --workers 8 --learning-rate 0.001 --rho 2.5", "/spectral_radius",
     0.9991157, 1e-7},
    // alpha = (4 - 2 eta) / (4 - eta) at eta = 1: an eigenvalue is -1.
    {"point --method easgd --workers 1 --learning-rate 1 --rho 0.6666666666666667",
     "/spectral_radius", 1, 1e-12},
    {"point --method easgd --workers 1 --learning-rate 0.5 --rho 1.7142857142857142",
     "/spectral_radius", 1, 1e-12},
    {"point --method easgd --workers 1 --learning-rate 0.5 --rho 1.72", "/spectral_radius",
     1.005600, 1e-6},
    {"trajectory --method admm --workers 3 --activations 1001 --every 1", "/0/center", 999.6675,
     1e-4},
    {"trajectory --method admm --workers 3 --activations 1001 --every 1", "/100/center", 967.2560,
     1e-4},
    {"trajectory --method admm --workers 3 --activations 1001 --every 1", "/1000/center", 716.8093,
     1e-4},
    {"trajectory --method admm --workers 3 --activations 1001 --every 1", "/1/center", 999.4453,
     1e-4},
    {"trajectory --method admm --workers 3 --activations 1001 --every 1", "/10/center", 996.6369,
     1e-4},
    {"trajectory --method admm --workers 3 --activations 3001 --every 3001", "/1/center", 368.2233,
     1e-4},
    {"trajectory --method admm --workers 3 --activations 10001 --every 10001", "/1/center", 34.9623,
     5e-4},
    {"trajectory --method easgd --workers 3 --activations 100000 --every 100000", "/1/center", 0,
     1e-6},
    {"trajectory --method admm --workers 3 --activations 30001 --every 30001", "/1/center", 341.66,
     0.005},
    {"trajectory --method admm --workers 3 --activations 100001 --every 100001", "/1/center",
     3.83e12, 0.005e12},
    {"trajectory --method admm --workers 3 --activations 300001 --every 300001", "/1/center",
     -2.18e40, 0.005e40},
    {"moments --workers 4 --learning-rate 0.1 --alpha 0.225 --sigma 10", "/gamma", 0.9215002340823,
     1e-12},
    {"moments --workers 4 --learning-rate 0.1 --alpha 0.225 --sigma 10", "/phi", -0.1465002340823,
     1e-12},
    {"moments --workers 4 --learning-rate 0.1 --alpha 0.225 --sigma 10", "/steps/0/bias", 1, 1e-12},
    {"moments --workers 4 --learning-rate 0.1 --alpha 0.225 --sigma 10", "/steps/0/variance", 0, 0},
    {"moments --workers 4 --learning-rate 0.1 --alpha 0.225 --sigma 10", "/steps/1/bias", 0.91,
     1e-12},
    {"moments --workers 4 --learning-rate 0.1 --alpha 0.225 --sigma 10", "/steps/1/variance",
     0.2025, 1e-12},
    {"moments --workers 4 --learning-rate 0.1 --alpha 0.225 --sigma 10", "/steps/2/bias",
     0.4739769294, 1e-10},
    {"moments --workers 4 --learning-rate 0.1 --alpha 0.225 --sigma 10", "/steps/2/variance",
     0.8161369951, 1e-10},
    {"moments --workers 4 --learning-rate 0.1 --alpha 0.225 --sigma 10", "/steps/3/bias",
     3.0223704e-4, 1e-11},
    {"moments --workers 4 --learning-rate 0.1 --alpha 0.225 --sigma 10", "/steps/3/variance",
     1.0455838759, 1e-9},
    {"moments --workers 1 --learning-rate 0.1 --beta 0.9", "/stationary_variance", 0.0325776338,
     1e-10},
    {"moments --workers 4 --learning-rate 0.1 --beta 0.9", "/stationary_variance", 0.0418233588 / 4,
     1e-10},
    {"moments --workers 256 --learning-rate 0.1 --beta 0.9", "/stationary_variance",
     0.0513886561 / 256, 1e-12},
    {"moments --workers 16 --learning-rate 0.1 --beta 0.9", "/stationary_variance",
     0.0486913744 / 16, 1e-11},
    {"moments --workers 1 --learning-rate 0.5 --beta 0.5", "/stationary_variance", 0.12, 1e-10},
    {"moments --workers 4 --learning-rate 0.5 --beta 0.5", "/stationary_variance", 0.1607142857 / 4,
     1e-10},
    {"moments --workers 256 --learning-rate 0.5 --beta 0.5", "/stationary_variance",
     0.1847363072 / 256, 1e-12},
    {"moments --workers 16 --learning-rate 0.5 --beta 0.5", "/stationary_variance",
     0.1782857143 / 16, 1e-11},
    {"moments --workers 4 --learning-rate 0.1 --beta 0.9", "/many_workers_limit", 0.0515799989,
     1e-10},
    {"moments --workers 4 --learning-rate 0.5 --beta 0.5", "/many_workers_limit", 0.1851851852,
     1e-10},
    {"moments --workers 4 --learning-rate 0.1 --beta 0.9 --sigma 2 --steps 100 1000 20000",
     "/steps/0/step_x_variance_of_average", 0.80292, 1e-5},
    {"moments --workers 4 --learning-rate 0.1 --beta 0.9 --sigma 2 --steps 100 1000 20000",
     "/steps/1/step_x_variance_of_average", 0.98028, 1e-5},
    {"moments --workers 4 --learning-rate 0.1 --beta 0.9 --sigma 2 --steps 100 1000 20000",
     "/steps/2/step_x_variance_of_average", 0.99901, 1e-5},
    {"moments --workers 4 --learning-rate 0.1 --beta 0.9 --sigma 2 --steps 100 1000 20000",
     "/step_x_variance_limit_of_average", 1, 1e-12},
    {"moments --learning-rate 0.1 --beta 0.9", "/fastest_alpha", -0.4, 1e-9},
    {"moments --learning-rate 0.1 --beta 0.9", "/fastest_rate", 0.7, 1e-9},
    {"moments --learning-rate 0.1 --beta 0.5", "/fastest_alpha", -0.152786, 1e-6},
    {"moments --learning-rate 0.1 --beta 0.5", "/fastest_rate", 0.776393, 1e-6},
    {"moments --learning-rate 0.5 --beta 0.9", "/fastest_alpha", -0.058359, 1e-6},
    {"moments --learning-rate 0.5 --beta 0.9", "/fastest_rate", 0.329180, 1e-6},
    {"moments --learning-rate 0.04 --beta 1", "/fastest_rate", 0.8, 1e-9},
    // The workers' differences then grow: 1 - eta h - alpha.
    {"moments --learning-rate 0.1 --beta 0.9", "/fastest_factor_of_differences", 1.3, 1e-9},
    {"moments --learning-rate 0.04 --beta 1", "/fastest_alpha", -0.64, 1e-9},
    {"moments --learning-rate 0.1 --beta 0.1", "/fastest_alpha", 0, 1e-9},
    {"moments --learning-rate 0.1 --beta 0.1", "/fastest_rate", 0.9, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/0/worker_worker", 0.67, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/1/center_worker", 0.472, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/2/center_center", 0.561952, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/2/center_worker", 0.315568, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/2/worker_worker", 0.310612, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/2/worker_other", 0.161824, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/0/center_center", 1, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/0/center_worker", 0.7, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/0/worker_other", 0.49, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/1/center_center", 0.784, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/1/worker_worker", 0.4558, 1e-9},
    {"multiplicative --workers 3 --learning-rate 0.3 --alpha 0.1 --beta 0.4 --steps 1 2 3",
     "/steps/1/worker_other", 0.2704, 1e-9},
    {"multiplicative --optimum --workers 1 --lambda 0.5 --omega 0.5", "/spectral_radius", 0.6667,
     6e-5},
    {"multiplicative --optimum --workers 4 --lambda 0.5 --omega 0.5", "/spectral_radius", 0.5732,
     6e-5},
    {"multiplicative --optimum --workers 16 --lambda 0.5 --omega 0.5", "/spectral_radius", 0.5146,
     6e-5},
    {"multiplicative --optimum --workers 4 --lambda 1 --omega 1", "/spectral_radius", 0.4362, 6e-5},
    {"multiplicative --optimum --workers 4 --lambda 2 --omega 2", "/spectral_radius", 0.3022, 6e-5},
    {"multiplicative --optimum --workers 4 --lambda 10 --omega 10", "/spectral_radius", 0.0895,
     6e-5},
    {"multiplicative --optimum --workers 4 --lambda 1 --omega 1", "/learning_rate", 0.523, 2e-3},
    {"multiplicative --optimum --workers 4 --lambda 1 --omega 1", "/minibatch_best_radius", 0.2,
     1e-9},
    {"multiplicative --optimum --workers 16 --lambda 0.5 --omega 0.5", "/minibatch_best_radius",
     0.1111, 6e-5},
    {"double-well --rho 0.5", "/smallest_eigenvalue", 0.2928932188134524, 1e-12},
    {"double-well --rho 0.6666666666666666", "/smallest_eigenvalue", 0, 1e-12},
    {"double-well --rho 0.7", "/smallest_eigenvalue", -0.0677078252031312, 1e-12},
};

}  // namespace

TEST_CASE("easgd stability gives the numbers that the formulas of the paper and its thesis have") {
  std::map<std::string, json> answers;  // several oracles ask for one
  for (const Oracle& oracle : kOracles) {
    CAPTURE(oracle.arguments);
    CAPTURE(oracle.pointer);
    json& answer = answers[oracle.arguments];
    if (answer.is_null()) {
      answer = json::parse(program("stability " + std::string(oracle.arguments) + " --json").text);
    }
    const double found = answer.at(json::json_pointer(oracle.pointer)).get<double>();
    CHECK(std::abs(found - oracle.value) <= oracle.tolerance);
  }
}

TEST_CASE("easgd stability map gives the whole table of ADMM's spectral radii") {
  struct Row {
    int workers;
    const char* eta;
    double radius[6];
  };
  constexpr const char* kRho[] = {"0.5", "1", "2.5", "5", "7.5", "10"};
  constexpr Row kRows[] = {
      {3, "0.0001", {1.000361, 1.000511, 1.000777, 1.001022, 1.001172, 1.001272}},
      {3, "0.001", {1.000571, 1.000820, 1.000974, 1.000601, 0.999922, 0.999084}},
      {3, "0.003", {0.999930, 0.999935, 0.998916, 0.997030, 0.997044, 0.997059}},
      {3, "0.01", {0.996074, 0.994552, 0.990164, 0.990323, 0.990477, 0.990626}},
      {8, "0.0001", {1.000502, 1.000715, 1.001112, 1.001515, 1.001794, 1.002008}},
      {8, "0.001", {1.001064, 1.001556, 1.002258, 1.002606, 1.002552, 1.002288}},
      {8, "0.003", {1.000867, 1.001373, 1.001542, 1.000382, 0.998515, 0.997050}},
      {8, "0.01", {0.998068, 0.997736, 0.994253, 0.990274, 0.990406, 0.990534}},
  };
  for (const Row& row : kRows) {
    for (int i = 0; i < 6; ++i) {
      CAPTURE(row.workers);
      CAPTURE(row.eta);
      CAPTURE(kRho[i]);
      const std::string eta = row.eta, rho = kRho[i];
      const json map = json::parse(program("stability map --json --method admm --workers " +
                                           std::to_string(row.workers) + " --learning-rates " +
                                           eta + ":" + eta + ":1 --rhos " + rho + ":" + rho + ":1")
                                       .text);
      REQUIRE(map.size() == 1);
      CHECK(std::abs(map[0]["spectral_radius"].get<double>() - row.radius[i]) < 1e-6);
    }
  }
}

TEST_CASE("easgd stability map: ADMM on the paper's grid is stable for two workers, not for more") {
  const auto map_of = [](const std::string& workers) {
    return json::parse(
        program("stability map --method admm --learning-rates 0.0001:0.01:100 --rhos "
                "0.1:10:100 --json --workers " +
                workers)
            .text);
  };
  for (const json& point : map_of("2")) CHECK(point["spectral_radius"].get<double>() < 0.9999423);
  struct Grid {
    const char* workers;
    double largest, learning_rate;  // where rho is 10
    int unstable;                   // of 10000
  };
  for (const Grid& grid : {Grid{"3", 1.0013779, 2e-4, 1480}, Grid{"8", 1.0028583, 5e-4, 3500}}) {
    CAPTURE(grid.workers);
    json worst = {{"spectral_radius", 0.0}};
    int unstable = 0;
    for (const json& point : map_of(grid.workers)) {
      if (point["spectral_radius"] > worst["spectral_radius"]) worst = point;
      unstable += point["spectral_radius"].get<double>() > 1;
    }
    CHECK(std::abs(worst["spectral_radius"].get<double>() - grid.largest) < 1e-7);
    CHECK(std::abs(worst["learning_rate"].get<double>() - grid.learning_rate) < 1e-9);
    CHECK(worst["rho"] == 10.0);
    CHECK(std::abs(unstable - grid.unstable) <= 5);
  }
}

TEST_CASE("easgd stability check measures the curvature of a network") {
  // Softmax regression on inputs x: the Hessian is at most |x|^2 / 2, with the bias's 1 in |x|^2.
  const std::string check = "stability check configs/synthetic_logistic.toml --set data.limit=500 ";
  const json measured = json::parse(program(check + "--json").text);
  const double curvature = measured["curvature"];
  CHECK(curvature > 1);
  CHECK(curvature < 3072);
  CHECK(measured["curvature_is"].get<std::string>().starts_with(
      "measured at the initial parameters by "));
  const json again = json::parse(program(check + "--json").text);
  CHECK(again["curvature"] == measured["curvature"]);
  check_one_line(program(check + "--set algorithm.name=msgd --set algorithm.beta="), 2,
                 "the region is of easgd and eamsgd");
}

TEST_CASE("easgd stability check draws the edges where point and moments do") {
  // alpha = 0.3 and two workers: eta h up to 4 (1 - 0.3) / (2 - 0.3), or 2 - 0.6 / 1.4 in rounds.
  const auto answer = [](const std::string& arguments) {
    return json::parse(program("stability " + arguments + " --json").text);
  };
  const std::string check =
      "check configs/synthetic_logistic.toml --set algorithm.beta= --set algorithm.alpha=0.3 "
      "--set algorithm.learning_rate=0.5 --set algorithm.tau=1 "
      "--set 'workers.devices=[\"cpu\",\"cpu\"]' ";
  for (const auto& [curvature, inside] : {std::pair{"3.2941", true}, {"3.2942", false}}) {
    CAPTURE(curvature);
    const json found =
        answer(check + "--set algorithm.name=easgd --curvature " + std::string(curvature));
    CHECK(found["curvature_is"] == "given");
    CHECK(std::abs(found["largest_stable_curvature"].get<double>() - 3.294117647) < 1e-8);
    CHECK(found["inside_region"] == inside);
    CHECK(found["region"] == "of easgd with tau = 1, proven for a quadratic");
    const json point = answer("point --method easgd --learning-rate 0.5 --rho 0.6 --curvature " +
                              std::string(curvature));
    CHECK(point["inside_proven_region"] == inside);
  }
  for (const auto& [curvature, inside] : {std::pair{"3.1428", true}, {"3.1429", false}}) {
    CAPTURE(curvature);
    const json found = answer(check +
                              "--set algorithm.name=eamsgd --set algorithm.exchange=synchronous "
                              "--curvature " +
                              std::string(curvature));
    CHECK(std::abs(found["largest_stable_curvature"].get<double>() - 3.142857143) < 1e-8);
    CHECK(found["inside_region"] == inside);
    CHECK(
        found["region"].get<std::string>().ends_with("; with momentum or a longer tau nothing is"));
    const json moments = answer("moments --workers 2 --learning-rate 0.5 --alpha 0.3 --curvature " +
                                std::string(curvature));
    CHECK(moments["stable"] == inside);
  }
}
