-- Fields of objects, read and written: ten of each object, by their names.
local function Body(seed)
  return {
    x = seed, y = seed * 2, z = seed * 3,
    vx = 1, vy = 2, vz = 3,
    ax = 0.5, ay = 0.25, az = 0.125,
    age = 0,
  }
end
local function advance(body, dt)
  body.vx = body.vx + body.ax * dt
  body.vy = body.vy + body.ay * dt
  body.vz = body.vz + body.az * dt
  body.x = body.x + body.vx * dt
  body.y = body.y + body.vy * dt
  body.z = body.z + body.vz * dt
  body.age = body.age + dt
end
local function run(n)
  local first = Body(1)
  local second = Body(2)
  for i = 1, n do
    advance(first, 0.5)
    advance(second, 0.25)
    first.other = second
    second.other = first
    if first.other.age > 1000 then first.age = 0; first.vx = 0; second.other.vy = 0 end
  end
  return first.x + first.y + first.z + second.x + second.y + second.z
end
print(string.format("%g", run(3000000)))
