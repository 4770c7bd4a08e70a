// toml++, and how deep the values of a text may lie in each other: whoever walks through one needs
// stack for each value in it. See also nesting.h. Nobody includes the library but by this file.
#pragma once

#define TOML_MAX_NESTED_VALUES 64

#include <toml++/toml.h>
