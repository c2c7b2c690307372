#include "verifier/btf_info.h"
int verify_btf_info(const struct verify_request *request, const struct verify_result *result)
{
	return 0;
}
