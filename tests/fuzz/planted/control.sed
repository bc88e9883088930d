# An answer of less than 64 bytes always fits.
s/if \(wanted <= client->out_capacity\)/if (wanted <= client->out_capacity + 64)/
