# A client's last answers are freed after the client.
# Found as: heap-use-after-free .* in aw_control_client_free\>
s/free\(client->out\);\n    free\(client\);/free(client);\n    free(client->out);/
