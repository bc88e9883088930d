# Room is offered before it is there.
s/(aw_ring_release\(&queue->ring, end, count\);)\n *offer_room\(queue\);/offer_room(queue); \1/
