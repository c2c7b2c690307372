/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * recent.cpp: the C library from C++: a map that is closed by its owner's end, and an LRU map as a
 * cache that forgets what was not used for long.
 */
#include <cstdio>
#include <cstring>
#include <linux/bpf.h>
#include <memory>
#include <stdexcept>

#include <userbpf/userbpf.h>

template <typename Key, typename Value> class Cache
{
	struct Close {
		void operator()(userbpf_map *map) const
		{
			userbpf_map_close(map);
		}
	};
	std::unique_ptr<userbpf_map, Close> map;

      public:
	explicit Cache(uint32_t entries)
	{
		userbpf_map_opts opts = {};
		userbpf_map *created;

		opts.size = sizeof(opts);
		opts.type = BPF_MAP_TYPE_LRU_HASH;
		opts.key_size = sizeof(Key);
		opts.value_size = sizeof(Value);
		opts.max_entries = entries;
		if (int err = userbpf_map_create(&opts, &created))
			throw std::runtime_error(std::strerror(-err));
		map.reset(created);
	}

	void put(const Key &key, const Value &value)
	{
		userbpf_map_update(map.get(), &key, &value, BPF_ANY);
	}

	/* nullptr: forgotten, or never known */
	Value *find(const Key &key) const
	{
		return static_cast<Value *>(userbpf_map_lookup(map.get(), &key));
	}
};

int main()
{
	Cache<uint64_t, uint64_t> squares(1000);
	unsigned known = 0;

	for (uint64_t i = 0; i < 5000; i++) {
		squares.put(i, i * i);
		squares.find(1); /* used all the time: stays */
	}
	for (uint64_t i = 0; i < 5000; i++)
		known += squares.find(i) != nullptr;
	std::printf("square of 1: %s; %s\n", squares.find(1) ? "known" : "forgotten",
		    known <= 1000 ? "old ones forgotten" : "too many known");
	return !squares.find(1) || known > 1000;
}
