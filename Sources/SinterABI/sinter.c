#include "sinter.h"
