#include "sinter_runtime.h"
