#include "weir_abi.h"

#define SIZE(type, bytes) static_assert(sizeof(type) == (bytes), "size of " #type);
#define MEMBER(type, member, at) \
    static_assert(offsetof(type, member) == (at), "offset of " #type "." #member);
#include "offsets.inc"
