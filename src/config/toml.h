// toml++, as this program needs it. Nobody includes the library but by this file.
//
// Values lie in each other up to a depth: whoever walks through one needs stack for each value in
// it (toml_check.h has more). What the library asserts it also lets the compiler assume in a
// release build, though a hostile file can make it false ("[=a]"); it checks the same afterwards,
// so that nothing is asserted nor assumed.
#pragma once

#define TOML_MAX_NESTED_VALUES 64
#define TOML_ASSERT(expr) static_assert(true)

#pragma push_macro("NDEBUG")
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")
