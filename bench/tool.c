#include "bench.h"
void group_tool(bench *b)
{
	(void)b;
}
