#include "base/columns.h"

#include <doctest/doctest.h>

using namespace easgd;

TEST_CASE("text is cut by the columns of a terminal, never within a character") {
  CHECK(cut_to_columns("tau = 10", 80) == "tau = 10");
  CHECK(cut_to_columns("tau = 10", 5) == "tau =");
  CHECK(cut_to_columns("tau", 0).empty());
  CHECK(cut_to_columns("caf\u00e9s", 4) == "caf\u00e9");
  CHECK(cut_to_columns("caf\u00e9s", 3) == "caf");
  CHECK(cut_to_columns("\u4e2d\u6587", 3) == "\u4e2d");  // two columns each
  CHECK(cut_to_columns("\u4e2d\u6587", 4) == "\u4e2d\u6587");
  CHECK(cut_to_columns("e\u0301x", 1) == "e\u0301");  // an accent of its own: no column
  CHECK(cut_to_columns("\U0001f680x", 2) == "\U0001f680");
}

TEST_CASE("what is no text shows as question marks, one a byte") {
  CHECK(cut_to_columns("a\xff\xfe z", 80) == "a?? z");
  CHECK(cut_to_columns("cut \xe4\xb8", 80) == "cut ??");
  CHECK(cut_to_columns("\x1b[2Jtab\t", 80) == "?[2Jtab?");
}
