// Are the random numbers the published ones, and are permutations permutations?
#include "kernels/philox.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <vector>

#include "data/permutation.h"

using namespace easgd;
using kernels::Random;
using kernels::Random4;
using kernels::Stream;

namespace {

void check_answer(Random4 counter, std::uint32_t key0, std::uint32_t key1, Random4 expected) {
  const Random4 found = kernels::philox(counter, key0, key1);
  for (int i = 0; i < 4; ++i) CHECK(found.value[i] == expected.value[i]);
}

std::vector<std::uint64_t> all(const Permutation& permutation) {
  std::vector<std::uint64_t> values;
  for (std::uint64_t i = 0; i < permutation.size(); ++i) values.push_back(permutation(i));
  return values;
}

Random shuffle(std::uint64_t seed, std::uint32_t worker) {
  return {seed, Stream::shuffle, worker};
}

}  // namespace

TEST_CASE("philox: known answers of Random123") {
  check_answer({{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  const std::uint32_t ones = 0xffffffff;
  check_answer({{ones, ones, ones, ones}}, ones, ones,
               {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  check_answer({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
               {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST_CASE("philox: a change of any part of the counter changes the numbers") {
  const Random random{1, Stream::shuffle, 2};
  const std::uint32_t first = random.at(3, 4).value[0];
  CHECK(Random{2, Stream::shuffle, 2}.at(3, 4).value[0] != first);
  CHECK(Random{std::uint64_t{1} << 32 | 1, Stream::shuffle, 2}.at(3, 4).value[0] != first);
  CHECK(Random{1, Stream::dropout, 2}.at(3, 4).value[0] != first);
  CHECK(Random{1, Stream::shuffle, 3}.at(3, 4).value[0] != first);
  CHECK(random.at(4, 4).value[0] != first);
  CHECK(random.at(std::uint64_t{1} << 32 | 3, 4).value[0] != first);
  CHECK(random.at(3, 5).value[0] != first);
  CHECK(random.at(3, 4).value[0] == first);
}

TEST_CASE("philox: uniform and below stay in range and have the right mean") {
  const Random random{7, Stream::augmentation, 0};
  double sum = 0;
  std::vector<int> seen(5);
  for (std::uint32_t i = 0; i < 10000; ++i) {
    const Random4 four = random.at(0, i);
    REQUIRE((four.uniform(0) >= 0 && four.uniform(0) < 1));
    REQUIRE(four.below(1, 5) < 5);
    sum += four.uniform(0);
    ++seen[four.below(1, 5)];
  }
  CHECK(std::abs(sum / 10000 - 0.5) < 0.02);
  for (const int count : seen) CHECK(std::abs(count - 2000) < 200);
  CHECK(Random4{{0xffffffff, 0, 0, 0}}.uniform(0) < 1);
  CHECK(Random4{{0xffffffff, 0, 0, 0}}.below(0, 5) == 4);
}

TEST_CASE("permutation: a bijection for every size") {
  for (const std::uint64_t n :
       {1, 2, 3, 7, 16, 17, 100, 128, 255, 256, 257, 4096, 4097, 50000, 60000}) {
    CAPTURE(n);
    const Permutation permutation(n, shuffle(5, 1), 9);
    std::vector<bool> seen(n);
    bool good = true;
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::uint64_t value = permutation(i);
      good = good && value < n && !seen[value];
      if (good) seen[value] = true;
    }
    CHECK(good);
  }
}

TEST_CASE("permutation: large sizes stay in range and near indices go far apart") {
  const std::uint64_t n = std::uint64_t{1} << 40;
  const Permutation permutation(n - 5, shuffle(5, 1), 9);
  std::map<std::uint64_t, int> tenths;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    REQUIRE(permutation(i) < n - 5);
    ++tenths[permutation(i) / (n / 10)];
  }
  for (const auto& [tenth, count] : tenths) CHECK(std::abs(count - 100) < 50);
}

TEST_CASE("permutation: seed, worker, pass and part each choose another one") {
  const auto first = all(Permutation(1000, shuffle(1, 0), 0));
  CHECK(all(Permutation(1000, shuffle(1, 0), 0)) == first);
  CHECK(all(Permutation(1000, shuffle(2, 0), 0)) != first);
  CHECK(all(Permutation(1000, shuffle(1, 1), 0)) != first);
  CHECK(all(Permutation(1000, shuffle(1, 0), 1)) != first);
  CHECK(all(Permutation(1000, shuffle(1, 0), 0, 1)) != first);
}

TEST_CASE("permutation: every value is equally likely in every place") {
  const std::uint64_t n = 10;
  const int passes = 20000;
  for (const std::uint64_t place : {0, 4, 9}) {
    std::vector<int> count(n);
    for (int pass = 0; pass < passes; ++pass) ++count[Permutation(n, shuffle(3, 0), pass)(place)];
    double chi_squared = 0;
    for (const int c : count)
      chi_squared += (c - passes / 10.0) * (c - passes / 10.0) / (passes / 10.0);
    CHECK(chi_squared < 33);  // 9 degrees of freedom: exceeded once in 8000
  }
}

TEST_CASE("permutation: all orders of four are equally likely") {
  std::map<std::vector<std::uint64_t>, int> count;
  for (int pass = 0; pass < 24000; ++pass) ++count[all(Permutation(4, shuffle(11, 0), pass))];
  CHECK(count.size() == 24);
  double chi_squared = 0;
  for (const auto& [order, c] : count) chi_squared += (c - 1000.0) * (c - 1000.0) / 1000.0;
  CHECK(chi_squared < 55);  // 23 degrees of freedom: exceeded once in 5000
}
