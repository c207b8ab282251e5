"""The demo's world: a shop behind an edge gateway. One slow service, one that fails, one with two versions.

user → gateway → web → catalog → pricing (fails 2 %), inventory
                     → recommend (slow) → catalog
                     → cart → pricing, redis-cart
                     → checkout → cart, inventory, payments v1|v2 → psp.example:8443
                                → pg-orders, kafka:order.created → shipping → inventory, pg-orders
                                                                 → notify → mail.example:8443
                                → loyalty (no sidecar: the library) → pricing
"""

from __future__ import annotations

from proxy_plugin.demo.model import (
    Call,
    Database,
    Delay,
    External,
    Fail,
    Gateway,
    Journey,
    Publish,
    Query,
    Request,
    Route,
    Service,
    Subscription,
    Together,
    Version,
    Work,
    World,
)

ORDERS = Database("postgresql", "shop", "pg-orders", 5432)
CARTS = Database("redis", "0", "redis-cart", 6379)
PSP = "psp.example:8443"
MAIL = "mail.example:8443"

WEB = Service(
    "web",
    "shop",
    (
        Route("GET", "/", (Work(Delay(3)), Together((
            Call("shop/catalog", "/products"),
            Call("shop/recommend", "/recommendations", optional=True),
        )))),
        Route("GET", "/search", (Work(Delay(4)), Call("shop/catalog", "/search"))),
        Route("GET", "/products/{id}", (Work(Delay(3)), Together((
            Call("shop/catalog", "/products/{id}"),
            Call("shop/recommend", "/recommendations", optional=True),
        )))),
        Route("POST", "/cart/items", (Work(Delay(2)), Call("shop/cart", "/items", "POST"))),
        Route("GET", "/cart", (Work(Delay(2)), Call("shop/cart", "/"))),
        Route("POST", "/checkout", (Work(Delay(4)), Call("shop/checkout", "/orders", "POST"))),
    ),
)  # fmt: skip

CATALOG = Service(
    "catalog",
    "shop",
    (
        Route("GET", "/products", (Work(Delay(8, 0.4)), Call("shop/pricing", "/prices", optional=True))),
        Route("GET", "/search", (Work(Delay(25, 0.6)), Call("shop/pricing", "/prices", optional=True))),
        Route("GET", "/products/{id}", (Work(Delay(5)), Together((
            Call("shop/pricing", "/prices/{id}", optional=True),
            Call("platform/inventory", "/stock/{id}"),
        )))),
        Route("GET", "/similar", (Work(Delay(6)),)),
    ),
)  # fmt: skip

RECOMMEND = Service(
    "recommend",
    "shop",
    (
        # sqrt(80 · 400) = 179; ± 2.3 sigma is 80 … 400 ms
        Route("GET", "/recommendations", (
            Call("shop/catalog", "/similar"),
            Work(Delay(179, 0.35, low=80, high=400)),
        )),
    ),
)  # fmt: skip

PRICING = Service(
    "pricing",
    "shop",
    (
        Route("GET", "/prices", (Work(Delay(4)), Fail(0.02))),
        Route("GET", "/prices/{id}", (Work(Delay(2)), Fail(0.02))),
    ),
)

CART = Service(
    "cart",
    "shop",
    (
        Route("GET", "/", (Work(Delay(1)), Query(CARTS, "HGETALL", delay=Delay(0.8, 0.5)))),
        Route("POST", "/items", (
            Work(Delay(1)),
            Call("shop/pricing", "/prices/{id}"),
            Query(CARTS, "HSET", delay=Delay(1.0, 0.5)),
        )),
    ),
)  # fmt: skip

CHECKOUT = Service(
    "checkout",
    "shop",
    (
        Route("POST", "/orders", (
            Work(Delay(6)),
            Call("shop/cart", "/"),
            Call("platform/inventory", "/reservations", "POST"),
            Call("shop/payments", "/charges", "POST"),
            Query(ORDERS, "INSERT", "orders", Delay(5, 0.5)),
            Publish("order.created"),
        )),
    ),
)  # fmt: skip

PAYMENTS = Service(
    "payments",
    "shop",
    (Route("POST", "/charges", (Work(Delay(25)), Call(PSP, "/v1/charges", "POST"))),),
    versions=(Version("v1", instances=2), Version("v2", instances=1, slowness=1.6)),
)

INVENTORY = Service(
    "inventory",
    "platform",
    (
        Route("GET", "/stock/{id}", (Work(Delay(3)),)),
        Route("POST", "/reservations", (Work(Delay(7, 0.4)),)),
        Route("POST", "/picks", (Work(Delay(5)),)),
    ),
)

SHIPPING = Service(
    "shipping",
    "platform",
    (),
    (
        Subscription("order.created", (
            Work(Delay(15)),
            Call("platform/inventory", "/picks", "POST"),
            Query(ORDERS, "UPDATE", "orders", Delay(4, 0.5)),
        )),
    ),
)  # fmt: skip

NOTIFY = Service(
    "notify",
    "platform",
    (),
    (Subscription("order.created", (Work(Delay(5)), Call(MAIL, "/v1/messages", "POST"))),),
)

LOYALTY = Service(
    "loyalty",
    "platform",
    (),
    (Subscription("order.created", (Work(Delay(4)), Call("shop/pricing", "/prices/{id}"))),),
    sidecar=False,
)

SHOP = World(
    gateway=Gateway("gateway", "edge", "shop/web"),
    services=(
        WEB, CATALOG, RECOMMEND, PRICING, CART, CHECKOUT, PAYMENTS, INVENTORY, SHIPPING, NOTIFY,
        LOYALTY,
    ),
    externals=(
        External("psp.example", 8443, (
            Route("POST", "/v1/charges", (Work(Delay(45, 0.3)), Work(Delay(900, 0.3), share=0.02))),
        )),
        External("mail.example", 8443, (Route("POST", "/v1/messages", (Work(Delay(30, 0.4)),)),)),
    ),
    journeys=(
        Journey("browse", 4, (Request("GET", "/"), Request("GET", "/products/{id}"))),
        Journey("search", 2, (Request("GET", "/search?q={id}"), Request("GET", "/products/{id}"))),
        Journey("fill the cart", 2, (
            Request("GET", "/products/{id}"), Request("POST", "/cart/items"), Request("GET", "/cart"),
        )),
        Journey("check out", 3, (Request("GET", "/cart"), Request("POST", "/checkout"))),
    ),
)  # fmt: skip
