from __future__ import annotations

CASES = {
    "compose": "compose --name shop",
    "compose-nginx": "compose --name shop --image registry.example:5000/shop:{version} --slot a=127.0.0.1:3001"
    " --slot b=[::1]:3002 --service shop-{slot} --with-nginx --nginx-image nginx:1.28 --listen 8080 --pool shop"
    " --probe python --health '/health?deep=1' --env NODE_ENV=production --env 'GREETING=it costs $5: \"{%}\" #1; done'",
    "compose-scaled": "compose --name shop --scaled --port 3000 --health-command 'sh -c \"test $PPID\"' --log-size 1.5M"
    " --log-files 5 --grace 90.5s",
    "pm2": "pm2 --name shop --env NODE_ENV=production --env 'GREETING=it costs $5: \"{%}\" #1; done' --instances 4",
    "pm2-fork": "pm2 --name shop --beside --mode fork --script app.py --interpreter /usr/bin/python3 --no-ready"
    " --grace 1500ms",
    "swarm": "swarm --name shop",
    "swarm-mesh": "swarm --name shop --stack prod --service web --image registry.example/shop:{version} --mesh 8080"
    " --replicas 6 --parallelism 2 --delay 10s --monitor 30s --probe image --env 'GREETING=it costs $5: \"{%}\" #1; done'",
}
