#include "bench.h"
void group_memory(bench *b)
{
	(void)b;
}
