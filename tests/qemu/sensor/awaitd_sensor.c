// SPDX-License-Identifier: MIT OR GPL-2.0
/* A sensor on an SPI bus that is only software, for the tests in tests/qemu:
 * what user space sees of it (/dev/spidev0.0 and 0.1, a GPIO chip with a
 * data-ready line) goes through the kernel's own SPI and GPIO layers.
 *
 * It plays samples of 6 bytes each, the firmware file SAMPLES, over and over.
 * Each new one pulls the line "awaitd-data-ready" up, after a short low if
 * nobody has read the one before: one rising edge for each sample.
 *
 * Chip select 0 is the sensor. A message whose first byte is READ_SAMPLE is
 * answered by REPLY_SIZE bytes, that one included, and pulls the line down:
 *
 *     0    MARKER
 *     1    1: new since the last read; 2: samples were missed since then
 *     2-5  the sample's number, big-endian, from 0; all ones: there is none yet
 *     6-11 the sample
 *
 * What else it is sent it sends back, as chip select 1 does with everything,
 * and either of them with words of 16 or 32 bits, or in the mode SPI_LOOP.
 *
 * Of its attributes in sysfs (/sys/bus/platform/devices/awaitd-sensor),
 * `play` takes "COUNT PERIOD_US": COUNT samples, one a period; with period 0
 * now, each when those who listen to the line have been told of the one
 * before. "0 0" stops. `produced` counts samples, `fail` the transfers from
 * now on that end with EIO, and `delay_us` makes each transfer last.
 *
 * It is unplugged by unbinding it from its driver, as any device. The line is
 * not the sensor's but the machine's, as on most boards, and stays: a GPIO chip
 * that goes while somebody has a line of it makes Linux 6.1 follow a null
 * pointer when the next chip comes. */
#include <asm/unaligned.h>
#include <linux/delay.h>
#include <linux/firmware.h>
#include <linux/gpio/driver.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/sched/signal.h>
#include <linux/spi/spi.h>

#define NAME    "awaitd-sensor"
#define SAMPLES "awaitd-sensor.bin"

enum {
    READ_SAMPLE = 0x80,
    MARKER = 0x5A,
    FRESH = 1,
    MISSED = 2,
    SAMPLE_SIZE = 6,
    REPLY_SIZE = 12,
    CHIP_SELECTS = 2,
    LINES = 2,
    DATA_READY = 0, /* the offset of the line; the other one never moves */
};

/* The data-ready line. */
struct line {
    struct gpio_chip gpio;
    bool ready; /* its level */

    /* Set by gpiolib with the interrupt's own lock held, which is taken inside
     * the sensor's when the line moves: so these have none, but are read once.
     */
    bool armed;
    unsigned int trigger;
};

static struct line line;

struct sensor {
    const struct firmware *samples;
    struct hrtimer timer;
    struct mutex playing; /* one writer of `play` at a time */

    /* Of the timer, of SPI's messages and of sysfs. */
    raw_spinlock_t lock;
    u32 produced; /* samples so far */
    u32 to_play;
    u32 read; /* `produced` at the last read */
    u64 period_ns;

    /* Of the message that is on the bus; the core has one at a time. */
    unsigned int position; /* in bytes since the chip was selected */
    bool answering;
    u8 reply[REPLY_SIZE];

    unsigned int fail, delay_us;
};

/* ---- the line ---- */

/* Under the sensor's lock, so that edges are told in the order they happen. */
static void set_ready(bool level)
{
    unsigned int edge = level ? IRQ_TYPE_EDGE_RISING : IRQ_TYPE_EDGE_FALLING;

    if (line.ready == level)
        return;
    WRITE_ONCE(line.ready, level);
    if (READ_ONCE(line.armed) && (READ_ONCE(line.trigger) & edge))
        generic_handle_domain_irq_safe(line.gpio.irq.domain, DATA_READY);
}

static int line_get(struct gpio_chip *gpio, unsigned int offset)
{
    return offset == DATA_READY && READ_ONCE(line.ready);
}

static int line_get_direction(struct gpio_chip *gpio, unsigned int offset)
{
    return GPIO_LINE_DIRECTION_IN;
}

static int line_direction_input(struct gpio_chip *gpio, unsigned int offset)
{
    return 0;
}

static void line_mask(struct irq_data *data)
{
    if (irqd_to_hwirq(data) == DATA_READY)
        WRITE_ONCE(line.armed, false);
    gpiochip_disable_irq(&line.gpio, irqd_to_hwirq(data));
}

static void line_unmask(struct irq_data *data)
{
    gpiochip_enable_irq(&line.gpio, irqd_to_hwirq(data));
    if (irqd_to_hwirq(data) == DATA_READY)
        WRITE_ONCE(line.armed, true);
}

static int line_set_type(struct irq_data *data, unsigned int type)
{
    if (type & ~IRQ_TYPE_EDGE_BOTH)
        return -EINVAL;
    if (irqd_to_hwirq(data) == DATA_READY)
        WRITE_ONCE(line.trigger, type);
    return 0;
}

static const struct irq_chip line_irq = {
    .name = NAME,
    .irq_mask = line_mask,
    .irq_unmask = line_unmask,
    .irq_set_type = line_set_type,
    .flags = IRQCHIP_IMMUTABLE,
    GPIOCHIP_IRQ_RESOURCE_HELPERS,
};

static const char *const line_names[LINES] = {"awaitd-data-ready",
                                              "awaitd-idle"};

static int add_lines(struct device *device)
{
    struct gpio_chip *gpio = &line.gpio;

    gpio->label = NAME;
    gpio->parent = device;
    gpio->owner = THIS_MODULE;
    gpio->base = -1;
    gpio->ngpio = LINES;
    gpio->names = line_names;
    gpio->get = line_get;
    gpio->get_direction = line_get_direction;
    gpio->direction_input = line_direction_input;
    gpio_irq_chip_set_chip(&gpio->irq, &line_irq);
    gpio->irq.handler = handle_simple_irq;
    gpio->irq.default_type = IRQ_TYPE_NONE;
    return gpiochip_add_data(gpio, NULL);
}

/* ---- samples ---- */

static void produce(struct sensor *sensor)
{
    lockdep_assert_held(&sensor->lock);
    sensor->produced++;
    set_ready(false);
    set_ready(true);
}

static enum hrtimer_restart tick(struct hrtimer *timer)
{
    struct sensor *sensor = container_of(timer, struct sensor, timer);
    enum hrtimer_restart again = HRTIMER_NORESTART;
    unsigned long flags;

    raw_spin_lock_irqsave(&sensor->lock, flags);
    if (sensor->to_play) {
        sensor->to_play--;
        produce(sensor);
    }
    if (sensor->to_play) {
        hrtimer_forward_now(timer, ns_to_ktime(sensor->period_ns));
        again = HRTIMER_RESTART;
    }
    raw_spin_unlock_irqrestore(&sensor->lock, flags);
    return again;
}

/* Returns when those who listen have been told of the line's last edge. */
static void let_listeners_run(void)
{
    unsigned int irq = irq_find_mapping(line.gpio.irq.domain, DATA_READY);

    if (irq)
        synchronize_irq(irq);
}

static void play_now(struct sensor *sensor, unsigned int count)
{
    unsigned long flags;

    while (count-- && !fatal_signal_pending(current)) {
        raw_spin_lock_irqsave(&sensor->lock, flags);
        set_ready(false);
        raw_spin_unlock_irqrestore(&sensor->lock, flags);
        let_listeners_run();
        raw_spin_lock_irqsave(&sensor->lock, flags);
        produce(sensor);
        raw_spin_unlock_irqrestore(&sensor->lock, flags);
        let_listeners_run();
        cond_resched();
    }
}

static void play_on_timer(struct sensor *sensor, unsigned int count,
                          unsigned int period_us)
{
    sensor->to_play = count;
    sensor->period_ns = (u64)period_us * NSEC_PER_USEC;
    if (count)
        hrtimer_start(&sensor->timer, ns_to_ktime(sensor->period_ns),
                      HRTIMER_MODE_REL);
}

static ssize_t play_store(struct device *device, struct device_attribute *attr,
                          const char *text, size_t size)
{
    struct sensor *sensor = dev_get_drvdata(device);
    unsigned int count, period_us;

    if (sscanf(text, "%u %u", &count, &period_us) != 2)
        return -EINVAL;
    mutex_lock(&sensor->playing);
    hrtimer_cancel(&sensor->timer);
    if (period_us)
        play_on_timer(sensor, count, period_us);
    else
        play_now(sensor, count);
    mutex_unlock(&sensor->playing);
    return size;
}
static DEVICE_ATTR_WO(play);

static ssize_t produced_show(struct device *device,
                             struct device_attribute *attr, char *text)
{
    struct sensor *sensor = dev_get_drvdata(device);

    return sysfs_emit(text, "%u\n", READ_ONCE(sensor->produced));
}
static DEVICE_ATTR_RO(produced);

/* ---- the bus ---- */

static void compose_reply(struct sensor *sensor)
{
    size_t count = sensor->samples->size / SAMPLE_SIZE;
    unsigned long flags;
    u32 produced, unread;

    raw_spin_lock_irqsave(&sensor->lock, flags);
    produced = sensor->produced;
    unread = produced - sensor->read;
    sensor->read = produced;
    set_ready(false);
    raw_spin_unlock_irqrestore(&sensor->lock, flags);

    memset(sensor->reply, 0, sizeof(sensor->reply));
    sensor->reply[0] = MARKER;
    sensor->reply[1] = (unread ? FRESH : 0) | (unread > 1 ? MISSED : 0);
    put_unaligned_be32(produced - 1, &sensor->reply[2]);
    if (produced)
        memcpy(&sensor->reply[REPLY_SIZE - SAMPLE_SIZE],
               sensor->samples->data + (produced - 1) % count * SAMPLE_SIZE,
               SAMPLE_SIZE);
}

/* One byte in each direction, as on the wires. */
static u8 exchange(struct sensor *sensor, u8 sent)
{
    unsigned int position = sensor->position++;

    if (position == 0) {
        sensor->answering = sent == READ_SAMPLE;
        if (sensor->answering)
            compose_reply(sensor);
    }
    if (!sensor->answering)
        return sent;
    return position < REPLY_SIZE ? sensor->reply[position] : 0;
}

static int sensor_transfer_one(struct spi_controller *bus,
                               struct spi_device *device,
                               struct spi_transfer *transfer)
{
    struct sensor *sensor = spi_controller_get_devdata(bus);
    const u8 *tx = transfer->tx_buf;
    u8 *rx = transfer->rx_buf;
    bool answers = device->chip_select == 0 && !(device->mode & SPI_LOOP) &&
                   transfer->bits_per_word == 8;
    unsigned int i;

    if (sensor->delay_us)
        usleep_range(sensor->delay_us, sensor->delay_us + 100);
    if (sensor->fail) {
        sensor->fail--;
        return -EIO;
    }
    for (i = 0; i < transfer->len; i++) {
        u8 sent = tx ? tx[i] : 0;
        u8 received = answers ? exchange(sensor, sent) : sent;

        if (rx)
            rx[i] = received;
    }
    return 0; /* done, no interrupt follows */
}

/* Either edge of the chip select begins a message anew. */
static void sensor_set_cs(struct spi_device *device, bool level)
{
    struct sensor *sensor = spi_controller_get_devdata(device->controller);

    sensor->position = 0;
}

static int add_bus(struct device *device, struct sensor *sensor)
{
    /* One of the names that spidev goes by. */
    struct spi_board_info info = {.modalias = "dh2228fv",
                                  .max_speed_hz = 1000000};
    struct spi_controller *bus = devm_spi_alloc_master(device, 0);
    int error;

    if (!bus)
        return -ENOMEM;
    spi_controller_set_devdata(bus, sensor);
    bus->bus_num = 0;
    bus->num_chipselect = CHIP_SELECTS;
    bus->mode_bits =
        SPI_CPOL | SPI_CPHA | SPI_CS_HIGH | SPI_LSB_FIRST | SPI_LOOP;
    bus->bits_per_word_mask =
        SPI_BPW_MASK(8) | SPI_BPW_MASK(16) | SPI_BPW_MASK(32);
    bus->min_speed_hz = 1000;
    bus->max_speed_hz = 10000000;
    bus->transfer_one = sensor_transfer_one;
    bus->set_cs = sensor_set_cs;
    error = devm_spi_register_controller(device, bus);
    for (; !error && info.chip_select < CHIP_SELECTS; info.chip_select++)
        if (!spi_new_device(bus, &info))
            error = -ENODEV;
    return error;
}

/* ---- the device ---- */

static ssize_t fail_store(struct device *device, struct device_attribute *attr,
                          const char *text, size_t size)
{
    struct sensor *sensor = dev_get_drvdata(device);
    int error = kstrtouint(text, 0, &sensor->fail);

    return error ? error : (ssize_t)size;
}
static DEVICE_ATTR_WO(fail);

static ssize_t delay_us_store(struct device *device,
                              struct device_attribute *attr, const char *text,
                              size_t size)
{
    struct sensor *sensor = dev_get_drvdata(device);
    int error = kstrtouint(text, 0, &sensor->delay_us);

    return error ? error : (ssize_t)size;
}
static DEVICE_ATTR_WO(delay_us);

static struct attribute *sensor_attrs[] = {
    &dev_attr_play.attr,
    &dev_attr_produced.attr,
    &dev_attr_fail.attr,
    &dev_attr_delay_us.attr,
    NULL,
};
ATTRIBUTE_GROUPS(sensor);

static void forget_samples(void *samples)
{
    release_firmware(samples);
}

static int load_samples(struct device *device, struct sensor *sensor)
{
    int error = request_firmware(&sensor->samples, SAMPLES, device);

    if (error)
        return error;
    error = devm_add_action_or_reset(device, forget_samples,
                                     (void *)sensor->samples);
    if (!error && sensor->samples->size < SAMPLE_SIZE)
        error = -ENODATA;
    return error;
}

/* Without power it says nothing. */
static void power_off(void *data)
{
    struct sensor *sensor = data;
    unsigned long flags;

    hrtimer_cancel(&sensor->timer);
    raw_spin_lock_irqsave(&sensor->lock, flags);
    set_ready(false);
    raw_spin_unlock_irqrestore(&sensor->lock, flags);
}

/* What is added last goes first: user space's ways in, then the timer. */
static int sensor_probe(struct platform_device *platform)
{
    struct device *device = &platform->dev;
    struct sensor *sensor = devm_kzalloc(device, sizeof(*sensor), GFP_KERNEL);
    int error;

    if (!sensor)
        return -ENOMEM;
    mutex_init(&sensor->playing);
    raw_spin_lock_init(&sensor->lock);
    hrtimer_init(&sensor->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
    sensor->timer.function = tick;
    platform_set_drvdata(platform, sensor);
    error = load_samples(device, sensor);
    if (!error)
        error = devm_add_action_or_reset(device, power_off, sensor);
    if (!error)
        error = add_bus(device, sensor);
    return error;
}

static struct platform_driver sensor_driver = {
    .probe = sensor_probe,
    .driver = {.name = NAME, .dev_groups = sensor_groups},
};

/* ---- the module ---- */

static struct platform_device *machine, *sensor_device;

/* Whoever has a line holds the module, so that it cannot go meanwhile. */
static void remove_machine(void)
{
    gpiochip_remove(&line.gpio);
    platform_device_unregister(machine);
}

static int add_machine(void)
{
    int error;

    machine = platform_device_register_simple("awaitd-machine",
                                              PLATFORM_DEVID_NONE, NULL, 0);
    if (IS_ERR(machine))
        return PTR_ERR(machine);
    error = add_lines(&machine->dev);
    if (error)
        platform_device_unregister(machine);
    return error;
}

static int add_sensor(void)
{
    int error = platform_driver_register(&sensor_driver);

    if (error)
        return error;
    sensor_device =
        platform_device_register_simple(NAME, PLATFORM_DEVID_NONE, NULL, 0);
    if (!IS_ERR(sensor_device))
        return 0;
    platform_driver_unregister(&sensor_driver);
    return PTR_ERR(sensor_device);
}

static int __init sensor_init(void)
{
    int error = add_machine();

    if (error)
        return error;
    error = add_sensor();
    if (error)
        remove_machine();
    return error;
}
module_init(sensor_init);

static void __exit sensor_exit(void)
{
    platform_device_unregister(sensor_device);
    platform_driver_unregister(&sensor_driver);
    remove_machine();
}
module_exit(sensor_exit);

MODULE_DESCRIPTION("A sensor on SPI that is only software, for awaitd's tests");
MODULE_LICENSE("Dual MIT/GPL");
